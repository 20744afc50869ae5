"""What is owned and owed: balances, orders, lists, trades and ids; `apply` alone changes it, one event at a time."""

from collections.abc import Iterable
from decimal import Decimal

from tidegate.domain.ids import AccountId
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.money import EXACT, ZERO
from tidegate.domain.orders import Side
from tidegate.exchange.model import (
    Balance,
    BalancesChanged,
    Deposited,
    Event,
    ExchangeSymbol,
    ListChanged,
    Order,
    OrderAccepted,
    OrderEnded,
    OrderList,
    OrderWorking,
    StatusChanged,
    Trade,
    Traded,
)

_ClientKey = tuple[AccountId, str, str]  # account, symbol, client order id


class ExchangeState:
    """A fold of events; ids continue behind the highest that any event carried."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[int, Order]] = {}
        self.lists: dict[int, OrderList] = {}
        self.trades: dict[str, list[Trade]] = {}
        self.statuses: dict[str, InstrumentStatus] = {}
        self.fees: dict[str, Decimal] = {}
        self.house: dict[str, Decimal] = {}  # the other side of every deposit and trade
        self.next_order_id: dict[str, int] = {}
        self.next_trade_id: dict[str, int] = {}
        self.next_list_id = 1
        self._balances: dict[AccountId, dict[str, Balance]] = {}
        self._open: dict[str, dict[int, Order]] = {}
        self._by_client: dict[_ClientKey, int] = {}  # the newest order of a client id
        self._open_lists: dict[tuple[AccountId, str], int] = {}  # by account and client id of the list

    @classmethod
    def new(cls, symbols: Iterable[ExchangeSymbol]) -> "ExchangeState":
        """Empty, with the symbols' first ids and states."""
        state = cls()
        for symbol in symbols:
            name = symbol.symbol
            state.orders[name], state.trades[name], state._open[name] = {}, [], {}
            state.statuses[name] = symbol.status
            state.next_order_id[name] = symbol.order_id_min
            state.next_trade_id[name] = symbol.trade_id_min
        return state

    # --- reading ---------------------------------------------------------------------------------------

    def balance(self, account_id: AccountId, asset: str) -> Balance:
        """Zero for what the account never had."""
        return self._balances.get(account_id, {}).get(asset) or Balance(asset)

    def balances_of(self, account_id: AccountId) -> list[Balance]:
        """Every asset that the account ever had, in name order."""
        return [balance for _, balance in sorted(self._balances.get(account_id, {}).items())]

    def accounts(self) -> list[AccountId]:
        """Every account that was opened."""
        return list(self._balances)

    def find(
        self, account_id: AccountId, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """The account's order by the venue's id, else the newest one with this client id."""
        if order_id is None and client_order_id is not None:
            order_id = self._by_client.get((account_id, symbol, client_order_id))
        order = self.orders.get(symbol, {}).get(order_id) if order_id is not None else None
        if order is None or order.account_id != account_id:
            return None
        return order if client_order_id in (None, order.client_order_id) else None

    def open_orders(self, account_id: AccountId, symbol: str) -> list[Order]:
        """The account's orders that may still fill, oldest first."""
        return [order for order in self._open[symbol].values() if order.account_id == account_id]

    def all_open(self, symbol: str) -> list[Order]:
        """Every open order of a symbol, oldest first."""
        return list(self._open[symbol].values())

    def has_open(self, symbol: str) -> bool:
        """Whether any order waits in a symbol."""
        return bool(self._open[symbol])

    def legs_of(self, order: Order) -> list[Order]:
        """The orders of its list, itself included; itself alone without a list."""
        if order.list_id is None:
            return [order]
        return [self.orders[order.symbol][order_id] for order_id in self.lists[order.list_id].order_ids]

    def open_list_id(self, account_id: AccountId, list_client_id: str) -> int | None:
        """The id of an open list with this client id."""
        return self._open_lists.get((account_id, list_client_id))

    def trades_of(self, account_id: AccountId, symbol: str) -> list[Trade]:
        """The account's executions, oldest first."""
        return [trade for trade in self.trades.get(symbol, []) if trade.account_id == account_id]

    # --- the fold --------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """The one way in which anything changes."""
        match event:
            case OrderAccepted(order=order):
                self._keep(order)
                self.next_order_id[order.symbol] = max(self.next_order_id[order.symbol], order.order_id + 1)
                self._by_client[(order.account_id, order.symbol, order.client_order_id)] = order.order_id
            case OrderWorking(order=order) | OrderEnded(order=order):
                self._keep(order)
            case Traded(order=order, trade=trade):
                self._keep(order)
                self._book(trade)
            case ListChanged(order_list=order_list):
                self._keep_list(order_list)
            case BalancesChanged(account_id=account_id, balances=balances):
                self._balances.setdefault(account_id, {}).update((balance.asset, balance) for balance in balances)
            case Deposited(asset=asset, quantity=quantity):
                self.house[asset] = EXACT.subtract(self.house.get(asset, ZERO), quantity)
            case StatusChanged(symbol=symbol, status=status):
                self.statuses[symbol] = status

    def _keep(self, order: Order) -> None:
        self.orders[order.symbol][order.order_id] = order
        if order.is_open:
            self._open[order.symbol][order.order_id] = order
        else:
            self._open[order.symbol].pop(order.order_id, None)

    def _keep_list(self, order_list: OrderList) -> None:
        self.lists[order_list.list_id] = order_list
        self.next_list_id = max(self.next_list_id, order_list.list_id + 1)
        key = (order_list.account_id, order_list.list_client_id)
        if order_list.is_done:
            self._open_lists.pop(key, None)
        else:
            self._open_lists[key] = order_list.list_id

    def _book(self, trade: Trade) -> None:
        self.trades[trade.symbol].append(trade)
        self.next_trade_id[trade.symbol] = max(self.next_trade_id[trade.symbol], trade.trade_id + 1)
        base, _, quote = trade.symbol.partition("/")
        sign = 1 if trade.side is Side.BUY else -1
        self.house[base] = EXACT.subtract(self.house.get(base, ZERO), sign * trade.quantity)
        self.house[quote] = EXACT.add(self.house.get(quote, ZERO), sign * trade.notional)
        self.fees[trade.fee_asset] = EXACT.add(self.fees.get(trade.fee_asset, ZERO), trade.fee)
