"""Candles and timeframes: one fold from trades, one merge into longer candles, for every stage and venue."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from tidegate.domain.errors import Invalid
from tidegate.domain.money import ZERO

SECOND_US = 1_000_000
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WEEK_OFFSET_US = 4 * 86_400 * SECOND_US  # weeks begin on Monday, the epoch was a Thursday


class CandleSource(StrEnum):
    """Where a candle's numbers came from; a strategy may refuse some."""

    STREAM = "stream"  # closed by the venue on its socket
    REST = "rest"  # asked for: backfill or the repair of a gap
    TRADES = "trades"  # built here from every single trade
    MERGED = "merged"  # built here from shorter candles
    FILE = "file"  # imported


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed bar of one symbol; a higher revision replaces a lower one of the same open time."""

    symbol: str
    timeframe: str  # "1s", "1m", "2m", "1h", "1d" …
    opened_at: int  # µs since the epoch, a multiple of the timeframe
    open: Decimal  # quote per base, as high, low and close
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal  # base
    quote_volume: Decimal = ZERO
    trade_count: int = 0
    source: CandleSource = CandleSource.STREAM
    revision: int = 0

    @property
    def closes_at(self) -> int:
        """µs at which the next candle opens."""
        return self.opened_at + duration_us(self.timeframe)

    def has_same_numbers(self, other: "Candle") -> bool:
        """Whether open, high, low, close and volume agree, whatever the source."""
        return (self.open, self.high, self.low, self.close, self.volume) == (
            other.open,
            other.high,
            other.low,
            other.close,
            other.volume,
        )


def duration_us(timeframe: str) -> int:
    """Length of a timeframe such as 1s, 2m, 4h, 1d or 1w in µs; `Invalid` for anything else."""
    count, unit = timeframe[:-1], timeframe[-1:]
    if unit not in _UNITS_S or not count.isdigit() or int(count) == 0:
        raise Invalid(
            f"timeframe must be a number and one of s m h d w, such as 1m or 4h, not {timeframe!r}.",
            code="market.timeframe_invalid",
        )
    return int(count) * _UNITS_S[unit] * SECOND_US


def floor_time(at: int, timeframe: str) -> int:
    """The open time (µs) of the candle that contains `at`; UTC days, weeks from Monday."""
    duration = duration_us(timeframe)
    offset = _WEEK_OFFSET_US if timeframe.endswith("w") else 0
    return (at - offset) // duration * duration + offset


def first_trade(symbol: str, timeframe: str, at: int, price: Decimal, quantity: Decimal) -> Candle:
    """The candle that a first trade opens."""
    return Candle(
        symbol=symbol,
        timeframe=timeframe,
        opened_at=floor_time(at, timeframe),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=quantity,
        quote_volume=price * quantity,
        trade_count=1,
        source=CandleSource.TRADES,
    )


def with_trade(candle: Candle, price: Decimal, quantity: Decimal) -> Candle:
    """The same candle after one more trade inside it."""
    return replace(
        candle,
        high=max(candle.high, price),
        low=min(candle.low, price),
        close=price,
        volume=candle.volume + quantity,
        quote_volume=candle.quote_volume + price * quantity,
        trade_count=candle.trade_count + 1,
    )


def without_trades(previous: Candle) -> Candle:
    """The flat candle after `previous` in which nobody traded, as venues print it."""
    close = previous.close
    return Candle(
        symbol=previous.symbol,
        timeframe=previous.timeframe,
        opened_at=previous.closes_at,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=ZERO,
        source=previous.source,
    )


def merge(candles: list[Candle], timeframe: str) -> Candle:
    """One longer candle from consecutive shorter ones in time order; the list must not be empty."""
    first, last = candles[0], candles[-1]
    return Candle(
        symbol=first.symbol,
        timeframe=timeframe,
        opened_at=floor_time(first.opened_at, timeframe),
        open=first.open,
        high=max(candle.high for candle in candles),
        low=min(candle.low for candle in candles),
        close=last.close,
        volume=sum((candle.volume for candle in candles), ZERO),
        quote_volume=sum((candle.quote_volume for candle in candles), ZERO),
        trade_count=sum(candle.trade_count for candle in candles),
        source=CandleSource.MERGED,
        revision=max(candle.revision for candle in candles),
    )
