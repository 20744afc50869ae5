"""Grids of the symbols that are traded here, and a fitting one for any other symbol of a replayed file."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.instruments import split_symbol
from tidegate.exchange import ExchangeSymbol
from tidegate.exchange.filters import (
    LotSize,
    MarketLotSize,
    MaxNumAlgoOrders,
    MaxNumOrders,
    Notional,
    PercentPriceBySide,
    PriceFilter,
)


@dataclass(frozen=True, slots=True)
class Grid:
    """Price and quantity steps, and a price to begin from."""

    tick_size: Decimal
    lot_size: Decimal
    base_price: float


GRIDS = {
    "BTC/USDT": Grid(Decimal("0.01"), Decimal("0.00001"), 60_000),
    "ETH/USDT": Grid(Decimal("0.01"), Decimal("0.0001"), 2_600),
    "SOL/USDT": Grid(Decimal("0.01"), Decimal("0.001"), 150),
    "XRP/USDT": Grid(Decimal("0.0001"), Decimal("0.1"), 0.55),
    "BNB/USDT": Grid(Decimal("0.01"), Decimal("0.001"), 520),
}
DEFAULT_SYMBOLS = tuple(GRIDS)


def grid_of(symbol: str, price: float = 100.0) -> Grid:
    """The symbol's own grid, or five significant digits of `price` and lots of about 0.1 quote."""
    known = GRIDS.get(symbol)
    if known is not None:
        return known
    magnitude = _magnitude(price)
    return Grid(Decimal(1).scaleb(magnitude - 4), Decimal(1).scaleb(min(0, -1 - magnitude)), price)


def _magnitude(price: float) -> int:
    return Decimal(repr(price)).adjusted()


def listing(symbol: str, price: float = 100.0) -> ExchangeSymbol:
    """The symbol with its filters and fees as this exchange lists it."""
    grid = grid_of(symbol, price)
    base, quote = split_symbol(symbol)
    lot_max = Decimal(10) ** 9 * grid.lot_size
    return ExchangeSymbol(
        symbol=symbol,
        base=base,
        quote=quote,
        tick_size=grid.tick_size,
        lot_size=grid.lot_size,
        filters=(
            PriceFilter(grid.tick_size, price_min=grid.tick_size, price_max=grid.tick_size * 10**8),
            LotSize(grid.lot_size, quantity_min=grid.lot_size, quantity_max=lot_max),
            MarketLotSize(quantity_max=lot_max),
            Notional(notional_min=Decimal(5), notional_max=Decimal(9_000_000)),
            PercentPriceBySide(Decimal(5), Decimal("0.2"), Decimal(5), Decimal("0.2")),
            MaxNumOrders(200),
            MaxNumAlgoOrders(20),
        ),
    )
