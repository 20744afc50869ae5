"""exchangeInfo: what trades here and by which rules, from the exchange's own filters."""

from collections.abc import Iterable

from tidegate.domain.instruments import InstrumentStatus, stream_symbol
from tidegate.exchange import ExchangeSymbol
from tidegate.exchange.filters import (
    LotSize,
    MarketLotSize,
    MaxNumAlgoOrders,
    MaxNumOrders,
    MaxPosition,
    MinNotional,
    Notional,
    PercentPriceBySide,
    PriceFilter,
    SymbolFilter,
)
from tidegate.venues.simulator.frames import Json, number

ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
_STATUS = {
    InstrumentStatus.TRADING: "TRADING",
    InstrumentStatus.HALTED: "HALT",
    InstrumentStatus.CANCEL_ONLY: "CANCEL_ONLY",
}


def exchange_info(
    symbols: Iterable[tuple[ExchangeSymbol, InstrumentStatus]], rate_limits: list[Json], now_ms: int
) -> Json:
    """The whole answer of GET exchangeInfo for the given symbols."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": rate_limits,
        "exchangeFilters": [],
        "symbols": [_symbol(symbol, status) for symbol, status in symbols],
    }


def _symbol(symbol: ExchangeSymbol, status: InstrumentStatus) -> Json:
    return {
        "symbol": stream_symbol(symbol.symbol),
        "status": _STATUS[status],
        "baseAsset": symbol.base,
        "baseAssetPrecision": symbol.base_scale,
        "quoteAsset": symbol.quote,
        "quotePrecision": symbol.quote_scale,
        "quoteAssetPrecision": symbol.quote_scale,
        "baseCommissionPrecision": symbol.base_scale,
        "quoteCommissionPrecision": symbol.quote_scale,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [_filter(rule) for rule in symbol.filters],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def _filter(rule: SymbolFilter) -> Json:
    shown: Json
    match rule:
        case PriceFilter():
            shown = {
                "minPrice": number(rule.price_min),
                "maxPrice": number(rule.price_max),
                "tickSize": number(rule.tick_size),
            }
        case LotSize() | MarketLotSize():
            shown = {
                "minQty": number(rule.quantity_min),
                "maxQty": number(rule.quantity_max),
                "stepSize": number(rule.lot_size),
            }
        case Notional():
            shown = {
                "minNotional": number(rule.notional_min),
                "applyMinToMarket": rule.min_applies_to_market,
                "maxNotional": number(rule.notional_max),
                "applyMaxToMarket": rule.max_applies_to_market,
                "avgPriceMins": 0,
            }
        case MinNotional():
            shown = {
                "minNotional": number(rule.notional_min),
                "applyToMarket": rule.applies_to_market,
                "avgPriceMins": 0,
            }
        case PercentPriceBySide():
            shown = {
                "bidMultiplierUp": str(rule.bid_multiplier_max),
                "bidMultiplierDown": str(rule.bid_multiplier_min),
                "askMultiplierUp": str(rule.ask_multiplier_max),
                "askMultiplierDown": str(rule.ask_multiplier_min),
                "avgPriceMins": 0,
            }
        case MaxNumOrders():
            shown = {"maxNumOrders": rule.orders_max}
        case MaxNumAlgoOrders():
            shown = {"maxNumAlgoOrders": rule.orders_max}
        case MaxPosition():
            shown = {"maxPosition": number(rule.position_max)}
    return {"filterType": rule.name} | shown
