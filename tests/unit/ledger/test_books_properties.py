"""Whatever happens in whatever order: sums of zero, holds never negative, repeats change nothing."""

from decimal import Decimal
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tidegate.domain.ids import AccountId, ClientOrderId, FillId, IntentKey, TraceId, VenueOrderId
from tidegate.domain.messages import OrderFilled
from tidegate.domain.money import ZERO, Money
from tidegate.domain.orders import OrderStatus, Side
from tidegate.ledger.model import AccountKind, Books, LedgerAccount, Shortage, check

ASSETS = ("BTC", "USDT", "BNB")
UNIT = Decimal("0.00000001")
quantities = st.decimals("0.00000001", "1000", places=8)
prices = st.decimals("0.00000001", "100000", places=10)
picks = st.integers(0, 5)  # one of the newest holds, or none


class BooksMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        numbers = count(1)
        self.books = Books(AccountId("a1"), draw_id=lambda: f"t{next(numbers)}")
        self.exact = dict.fromkeys(ASSETS, ZERO)  # what a reader with endless decimals would hold
        self.steps = 0
        self.fills: list[tuple[OrderFilled, str | None]] = []
        self.keys: set[str] = set()
        self.hold_keys: list[str] = []
        self.folded: dict[LedgerAccount, int] = {}

    def picked(self, pick: int) -> str | None:
        return self.hold_keys[-pick] if 0 < pick <= len(self.hold_keys) else None

    @rule(asset=st.sampled_from(ASSETS), quantity=st.decimals("-100", "10000", places=8))
    def adjust(self, asset: str, quantity: Decimal) -> None:
        self.steps += 1
        self.books.adjust(f"drift:{self.steps}", asset, quantity, reason="drift", at=self.steps)
        self.exact[asset] += quantity

    @rule(asset=st.sampled_from(ASSETS), quantity=quantities)
    def hold(self, asset: str, quantity: Decimal) -> None:
        self.steps += 1
        key = f"h{self.steps}"
        if not isinstance(self.books.hold(key, Money(quantity, asset), self.steps), Shortage):
            self.hold_keys.append(key)

    @rule(pick=picks)
    def release(self, pick: int) -> None:
        self.books.release(self.picked(pick) or "", self.steps)

    @rule(
        pick=picks,
        side=st.sampled_from(Side),
        quantity=quantities,
        price=prices,
        fee=st.builds(Money, st.decimals("-0.1", "0.1", places=9), st.sampled_from(ASSETS)),
    )
    def fill(self, pick: int, *, side: Side, quantity: Decimal, price: Decimal, fee: Money) -> None:
        key = self.picked(pick)
        self.steps += 1
        filled = OrderFilled(
            trace_id=TraceId("trace"),
            occurred_at=self.steps,
            account_id=AccountId("a1"),
            client_order_id=ClientOrderId("o"),
            symbol="BTC/USDT",
            fill_id=FillId(str(self.steps)),
            venue_order_id=VenueOrderId("7"),
            intent_key=IntentKey("i"),
            bot_id=None,
            side=side,
            quantity=quantity,
            price=price,
            fee=fee,
            is_maker=False,
            status=OrderStatus.FILLED,
        )
        self.books.book_fill(filled, key)
        self.fills.append((filled, key))
        sign = 1 if side is Side.BUY else -1
        self.exact["BTC"] += sign * quantity
        self.exact["USDT"] -= sign * quantity * price
        self.exact[fee.asset] -= fee.quantity

    @rule(index=st.integers(0, 50))
    def repeat_a_fill(self, index: int) -> None:
        if index < len(self.fills):
            assert self.books.book_fill(*self.fills[index]) == ()

    @invariant()
    def every_asset_sums_to_zero(self) -> None:
        assert all(line.sum == 0 for line in check(self.books.balances(), None))

    @invariant()
    def held_is_what_open_holds_have_left(self) -> None:
        for asset in ASSETS:
            left = [hold.remaining for hold in self.books.open_holds.values() if hold.asset == asset]
            assert all(units >= 0 for units in left)
            assert self.books.held(asset) == sum(left) * UNIT

    @invariant()
    def balances_are_the_fold_of_transfers_whose_keys_differ(self) -> None:
        for transfer in self.books.take().transfers:
            assert transfer.key not in self.keys
            self.keys.add(transfer.key)
            self.folded[transfer.debit] = self.folded.get(transfer.debit, 0) + transfer.units
            self.folded[transfer.credit] = self.folded.get(transfer.credit, 0) - transfer.units
        assert self.folded == {balance.account: balance.units for balance in self.books.balances()}

    @invariant()
    def rounding_costs_us_less_than_a_unit_a_leg_and_never_pays(self) -> None:
        for asset in ASSETS:
            ours = self.books.free(asset) + self.books.held(asset)
            rounding = sum(
                balance.quantity
                for balance in self.books.balances()
                if balance.account == LedgerAccount(AccountKind.ROUNDING, asset)
            )
            assert ours <= self.exact[asset] <= ours + rounding


TestBooks = BooksMachine.TestCase
TestBooks.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
