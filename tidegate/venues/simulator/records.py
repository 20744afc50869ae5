"""What accounts may ask about their past, folded from the exchange's events; the same after a restart."""

from collections import defaultdict

from tidegate.domain.ids import AccountId
from tidegate.exchange.model import (
    Balance,
    BalancesChanged,
    Event,
    ListChanged,
    Order,
    OrderAccepted,
    OrderEnded,
    OrderList,
    OrderWorking,
    Trade,
    Traded,
)


class Records:
    """Latest orders, lists and balances, and every trade."""

    def __init__(self) -> None:
        self._orders: defaultdict[tuple[AccountId, str], dict[int, Order]] = defaultdict(dict)
        self._open: defaultdict[AccountId, dict[tuple[str, int], Order]] = defaultdict(dict)
        self._by_client_id: dict[tuple[AccountId, str, str], int] = {}
        self._trades: defaultdict[tuple[AccountId, str], list[Trade]] = defaultdict(list)
        self._lists: dict[int, OrderList] = {}
        self._balances: defaultdict[AccountId, dict[str, Balance]] = defaultdict(dict)
        self._moved_at: dict[AccountId, int] = {}

    def apply(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case OrderAccepted(order) | OrderWorking(order) | OrderEnded(order):
                self._keep(order)
            case Traded(order, trade):
                self._keep(order)
                self._trades[trade.account_id, trade.symbol].append(trade)
            case ListChanged(changed):
                self._lists[changed.list_id] = changed
            case BalancesChanged():
                for balance in event.balances:
                    self._balances[event.account_id][balance.asset] = balance
                self._moved_at[event.account_id] = event.changed_at
            case _:
                pass

    def order(
        self, account_id: AccountId, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> Order | None:
        """By either id; a client id that was used again names the latest order."""
        if order_id is None and client_order_id is not None:
            order_id = self._by_client_id.get((account_id, symbol, client_order_id))
        return None if order_id is None else self._orders[account_id, symbol].get(order_id)

    def orders(self, account_id: AccountId, symbol: str) -> list[Order]:
        """All of them, oldest first."""
        return list(self._orders[account_id, symbol].values())

    def open_orders(self, account_id: AccountId, symbol: str | None) -> list[Order]:
        """Those that may still fill, oldest first."""
        return [order for order in self._open[account_id].values() if symbol in {None, order.symbol}]

    def trades(self, account_id: AccountId, symbol: str) -> list[Trade]:
        """All executions, oldest first."""
        return self._trades[account_id, symbol]

    def lists(self, account_id: AccountId) -> list[OrderList]:
        """All order lists, oldest first."""
        return [found for found in self._lists.values() if found.account_id == account_id]

    def balances(self, account_id: AccountId) -> list[Balance]:
        """Every asset that the account has ever had, by name."""
        return sorted(self._balances[account_id].values(), key=lambda balance: balance.asset)

    def moved_at(self, account_id: AccountId) -> int:
        """µs of the last change of a balance, 0 before the first."""
        return self._moved_at.get(account_id, 0)

    def accounts(self) -> list[AccountId]:
        """Everybody who has ever had a balance."""
        return list(self._balances)

    def traded_symbols(self, account_id: AccountId) -> list[str]:
        """Symbols with orders of the account."""
        return [symbol for owner, symbol in self._orders if owner == account_id]

    def _keep(self, order: Order) -> None:
        self._orders[order.account_id, order.symbol][order.order_id] = order
        self._by_client_id[order.account_id, order.symbol, order.client_order_id] = order.order_id
        if order.is_open:
            self._open[order.account_id][order.symbol, order.order_id] = order
        else:
            self._open[order.account_id].pop((order.symbol, order.order_id), None)
