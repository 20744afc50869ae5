"""What is traded, the grid its numbers sit on, and the one codec between the spellings of a symbol."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tidegate.domain.errors import Invalid
from tidegate.domain.money import ZERO, ceil_to, floor_to, is_on_grid, plain

# Longest first, so that "BTCFDUSD" is BTC/FDUSD and not BTCF/DUSD.
_QUOTES = (
    "FDUSD",
    "USDT",
    "USDC",
    "TUSD",
    "BUSD",
    "DAI",
    "EUR",
    "GBP",
    "TRY",
    "BRL",
    "USD",
    "BTC",
    "ETH",
    "BNB",
)


class InstrumentStatus(StrEnum):
    """What the venue lets one do with a symbol now."""

    TRADING = "trading"
    CANCEL_ONLY = "cancel_only"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A symbol of one venue and the rules its orders must keep; a bound of 0 means none."""

    symbol: str  # "BTC/USDT"
    base: str
    quote: str
    tick_size: Decimal  # quote per base
    lot_size: Decimal  # base
    quantity_min: Decimal = ZERO  # base
    quantity_max: Decimal = ZERO  # base
    market_quantity_max: Decimal = ZERO  # base, market orders only
    price_min: Decimal = ZERO  # quote per base
    price_max: Decimal = ZERO  # quote per base
    notional_min: Decimal = ZERO  # quote
    notional_max: Decimal = ZERO  # quote
    base_scale: int = 8  # decimals in which the venue books the base asset
    quote_scale: int = 8
    maker_fee_rate: Decimal = ZERO
    taker_fee_rate: Decimal = ZERO
    status: InstrumentStatus = InstrumentStatus.TRADING

    def snap_buy_price(self, price: Decimal) -> Decimal:
        """The limit price on the grid that is never worse for a buyer."""
        return floor_to(price, self.tick_size)

    def snap_sell_price(self, price: Decimal) -> Decimal:
        """The limit price on the grid that is never worse for a seller."""
        return ceil_to(price, self.tick_size)

    def snap_quantity(self, quantity: Decimal) -> Decimal:
        """The quantity rounded down to whole lots."""
        return floor_to(quantity, self.lot_size)

    def objection(self, quantity: Decimal, price: Decimal | None, notional: Decimal) -> str | None:
        """The first rule an order breaks, as a sentence, or None; `price` is None for a market order."""
        rules = (
            (quantity > 0, f"quantity must be above 0, not {plain(quantity)}"),
            (is_on_grid(quantity, self.lot_size), f"quantity must be a multiple of {plain(self.lot_size)}"),
            (quantity >= self.quantity_min, f"quantity must be at least {plain(self.quantity_min)}"),
            (
                not self.quantity_max or quantity <= self.quantity_max,
                f"quantity must be at most {plain(self.quantity_max)}",
            ),
            (price is None or price > 0, "price must be above 0"),
            (
                price is None or is_on_grid(price, self.tick_size),
                f"price must be a multiple of {plain(self.tick_size)}",
            ),
            (
                notional >= self.notional_min,
                f"notional must be at least {plain(self.notional_min)} {self.quote}",
            ),
            (
                not self.notional_max or notional <= self.notional_max,
                f"notional must be at most {plain(self.notional_max)} {self.quote}",
            ),
        )
        return next((sentence for holds, sentence in rules if not holds), None)


def parse_symbol(text: str) -> str:
    """`BTC/USDT` from `BTC/USDT`, `BTC-USDT` or `btc_usdt`; anything else is `Invalid`."""
    for separator in "/-_":
        base, found, quote = text.partition(separator)
        if found and base.isalnum() and quote.isalnum():
            return f"{base.upper()}/{quote.upper()}"
    raise Invalid(f"symbol must look like BTC/USDT or BTC-USDT, not {text!r}.", code="market.symbol_invalid")


def split_symbol(symbol: str) -> tuple[str, str]:
    """Base and quote of `BTC/USDT`."""
    base, _, quote = symbol.partition("/")
    return base, quote


def stream_symbol(symbol: str) -> str:
    """`BTCUSDT`, as streams and Binance write `BTC/USDT`."""
    return symbol.replace("/", "")


def from_stream_symbol(text: str) -> str:
    """`BTC/USDT` from `BTCUSDT`; only for quotes that are known, so a venue's own instrument list goes first."""
    upper = text.upper()
    quote = next((quote for quote in _QUOTES if upper.endswith(quote) and upper != quote), None)
    if quote is None:
        raise Invalid(
            f"symbol {text!r} ends in no quote asset that is known; write it as BASE/QUOTE.",
            code="market.symbol_invalid",
        )
    return f"{upper.removesuffix(quote)}/{quote}"
