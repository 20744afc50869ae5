"""The market as the API shows it: symbols as `BTC/USDT`, decimals as strings, times as RFC 3339 with milliseconds."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from tidegate.domain.candles import Candle, duration_us
from tidegate.domain.ids import TraceId
from tidegate.domain.instruments import Instrument, parse_symbol
from tidegate.domain.messages import TradePrinted
from tidegate.domain.ports import BookSnapshot
from tidegate.kit.clock import from_rfc3339
from tidegate.kit.http import DecimalText, Moment
from tidegate.market.reader import TickerNow


def _timeframe(text: str) -> str:
    duration_us(text)
    return text


def _moment(value: object, place: ValidationInfo) -> object:
    return from_rfc3339(value, str(place.field_name)) if isinstance(value, str) else value


Time = Annotated[int, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Symbol = Annotated[str, AfterValidator(parse_symbol), Field(description="BTC/USDT or BTC-USDT")]
Timeframe = Annotated[str, AfterValidator(_timeframe), Field(description="A number and one of s m h d w, such as 4h")]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Paged(_Query):
    limit: int = Field(default=100, ge=1, le=500, description="How many items at most.")
    cursor: str | None = Field(default=None, max_length=200, description="`next_cursor` of the page before.")


class CandleQuery(_Query):
    """Which candles: newest first, `start <= opened_at < end`."""

    symbol: Symbol
    timeframe: Timeframe = "1m"
    start: Time = 0
    end: Time | None = None
    limit: int = Field(default=100, ge=1, le=500, description="How many items at most.")
    cursor: int | None = Field(default=None, ge=0, lt=2**53, description="`next_cursor` of the page before.")

    @property
    def before(self) -> int | None:
        """The end of this page (µs)."""
        return self.end if self.cursor is None else self.cursor


class TickerQuery(_Query):
    """Which tickers: all, or one symbol's."""

    symbol: Symbol | None = None


class PrintQuery(_Paged):
    """Whose trades, newest first."""

    symbol: Symbol


class BookQuery(_Query):
    """Which book, and how much of it."""

    symbol: Symbol
    depth: int = Field(default=20, ge=1, le=1_000, description="Levels of each side.")


class InstrumentQuery(_Paged):
    """Which instruments: all, those of one quote asset, or one symbol."""

    symbol: Symbol | None = None
    quote: str | None = Field(default=None, max_length=20)


class CandleView(BaseModel):
    """One closed bar; a higher revision has replaced a lower one."""

    symbol: str
    timeframe: str
    opened_at: Moment
    closes_at: Moment
    open: DecimalText
    high: DecimalText
    low: DecimalText
    close: DecimalText
    volume: DecimalText
    quote_volume: DecimalText
    trade_count: int
    source: str
    revision: int
    trace_id: str


class TickerView(BaseModel):
    """Where a symbol stands; the 24 hours end with the last closed minute, null is not known."""

    symbol: str
    last_price: DecimalText | None
    bid_price: DecimalText | None
    ask_price: DecimalText | None
    open_price: DecimalText | None
    high_price: DecimalText | None
    low_price: DecimalText | None
    volume: DecimalText
    quote_volume: DecimalText
    change: DecimalText | None
    changed_at: Moment
    feed_age_ms: int


class LevelView(BaseModel):
    """One price of a book."""

    price: DecimalText
    quantity: DecimalText


class BookView(BaseModel):
    """The best levels, best first."""

    symbol: str
    update_id: int
    taken_at: Moment | None
    bids: list[LevelView]
    asks: list[LevelView]


class PrintView(BaseModel):
    """A trade of anybody at the venue."""

    symbol: str
    venue_trade_id: str
    price: DecimalText
    quantity: DecimalText
    is_buyer_maker: bool
    printed_at: Moment


class InstrumentView(BaseModel):
    """A symbol and the grid and limits of its orders; a bound of 0 means none."""

    model_config = ConfigDict(from_attributes=True)

    symbol: str
    base: str
    quote: str
    status: str
    tick_size: DecimalText
    lot_size: DecimalText
    quantity_min: DecimalText
    quantity_max: DecimalText
    notional_min: DecimalText
    notional_max: DecimalText
    maker_fee_rate: DecimalText
    taker_fee_rate: DecimalText


def candle_view(candle: Candle, trace_id: TraceId) -> CandleView:
    """With the trace id that its signals and orders carry."""
    return CandleView(
        symbol=candle.symbol,
        timeframe=candle.timeframe,
        opened_at=candle.opened_at,
        closes_at=candle.closes_at,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        quote_volume=candle.quote_volume,
        trade_count=candle.trade_count,
        source=candle.source.value,
        revision=candle.revision,
        trace_id=trace_id,
    )


def ticker_view(now: TickerNow) -> TickerView:
    """With the age of the feed in whole ms."""
    ticker = now.ticker
    return TickerView(
        symbol=ticker.symbol,
        last_price=ticker.last_price,
        bid_price=ticker.bid_price,
        ask_price=ticker.ask_price,
        open_price=ticker.open_price,
        high_price=ticker.high_price,
        low_price=ticker.low_price,
        volume=ticker.volume,
        quote_volume=ticker.quote_volume,
        change=ticker.change,
        changed_at=ticker.changed_at,
        feed_age_ms=int(now.age_s * 1_000),
    )


def book_view(book: BookSnapshot) -> BookView:
    """`taken_at` is null where the venue does not say."""
    return BookView(
        symbol=book.symbol,
        update_id=book.update_id,
        taken_at=book.taken_at or None,
        bids=[LevelView(price=price, quantity=quantity) for price, quantity in book.bids],
        asks=[LevelView(price=price, quantity=quantity) for price, quantity in book.asks],
    )


def print_view(trade: TradePrinted) -> PrintView:
    """The same numbers as in the stream."""
    return PrintView(
        symbol=trade.symbol,
        venue_trade_id=trade.venue_trade_id,
        price=trade.price,
        quantity=trade.quantity,
        is_buyer_maker=trade.is_buyer_maker,
        printed_at=trade.occurred_at,
    )


def instrument_view(instrument: Instrument) -> InstrumentView:
    """Without what only the venue's booking needs."""
    return InstrumentView.model_validate(instrument)
