"""Orders by hand: from a request to a command for the engine, which alone decides and writes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId, ClientOrderId, CommandId, IntentKey, TenantId, client_order_id
from tidegate.domain.messages import CancelOrder, SubmitOrder, to_json
from tidegate.domain.orders import OrderIntent, OrderPurpose, OrderType, Side, TimeInForce
from tidegate.execution.ports import Commands, IdempotencyKeys, Instruments, TradingAccounts
from tidegate.execution.reading.repository import OrderReader
from tidegate.kit.ids import new_id, new_trace_id

_WITH_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_WITH_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})
_FIRST_ATTEMPT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOrder:
    """What a person asks for."""

    account_id: AccountId | None
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal  # base
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    stop_loss_price: Decimal | None
    take_profit_price: Decimal | None

    def check(self) -> None:
        """`Invalid` names the field that the order type needs or cannot have."""
        needs = (("limit_price", self.limit_price, _WITH_LIMIT), ("stop_price", self.stop_price, _WITH_STOP))
        for name, price, types in needs:
            if (price is None) is (self.type in types):
                verb = "is needed by" if price is None else "makes no sense in"
                raise Invalid(f"{name} {verb} a {self.type} order.", code="execution.order_invalid")
        if self.post_only and self.type is not OrderType.LIMIT:
            raise Invalid("post_only is only possible in a limit order.", code="execution.order_invalid")
        if self.post_only and self.time_in_force is not TimeInForce.GTC:
            raise Invalid("post_only waits at its price, so time_in_force must be gtc.", code="execution.order_invalid")


@dataclass(frozen=True, slots=True)
class Placement:
    """The order that will exist or does; `is_decided` is False while no engine has answered."""

    client_order_id: ClientOrderId
    is_decided: bool


class OrderDesk:
    """Sends commands and writes nothing of the orders itself."""

    def __init__(
        self,
        *,
        accounts: TradingAccounts,
        instruments: Instruments,
        orders: OrderReader,
        commands: Commands,
        keys: IdempotencyKeys,
        market_now: Callable[[], int],
    ) -> None:
        self._accounts = accounts
        self._instruments = instruments
        self._orders = orders
        self._commands = commands
        self._keys = keys
        self._market_now = market_now

    async def place(self, tenant_id: TenantId, idempotency_key: str, wanted: HandOrder) -> Placement:
        """Send the order once, however often the same key is shown."""
        wanted.check()
        account = await self._accounts.account(tenant_id, wanted.account_id)
        await self._instruments.instrument(wanted.symbol)
        await self._keys.claim(tenant_id, idempotency_key, to_json(wanted))
        name = hashlib.sha256(f"{tenant_id}|{idempotency_key}".encode()).hexdigest()[:32]
        intent = OrderIntent(
            key=IntentKey(f"hand:{name}"),
            account_id=account.account_id,
            symbol=wanted.symbol,
            side=wanted.side,
            type=wanted.type,
            quantity=wanted.quantity,
            purpose=OrderPurpose.EXIT if wanted.reduce_only else OrderPurpose.ENTRY,
            limit_price=wanted.limit_price,
            stop_price=wanted.stop_price,
            time_in_force=wanted.time_in_force,
            post_only=wanted.post_only,
            reduce_only=wanted.reduce_only,
            stop_loss_price=wanted.stop_loss_price,
            take_profit_price=wanted.take_profit_price,
        )
        command = SubmitOrder(
            trace_id=new_trace_id(),
            occurred_at=self._market_now(),
            command_id=CommandId(name),
            account_id=account.account_id,
            intent=intent,
        )
        is_decided = await self._commands.send(command)
        return Placement(client_order_id(account.environment, intent.key, _FIRST_ATTEMPT), is_decided)

    async def cancel(self, tenant_id: TenantId, order_id: str) -> bool:
        """Ask for the end of an order; True when the engine has taken the wish up."""
        order = await self._orders.order(tenant_id, order_id)
        return await self._commands.send(
            CancelOrder(
                trace_id=new_trace_id(),
                occurred_at=self._market_now(),
                command_id=CommandId(new_id()),
                account_id=order.intent.account_id,
                client_order_id=ClientOrderId(order_id),
            )
        )
