"""The books of one trading account: integers of each asset's minor unit, moved from credit to debit.

Debit receives and credit gives, so a balance is debits minus credits; free and held are what the venue owes us.
What we pay rounds up to the minor unit, what we receive rounds down, and the whole unit in between is `rounding`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from tidegate.domain.errors import Conflict, Invalid
from tidegate.domain.ids import AccountId, FillId, TraceId, TransferId
from tidegate.domain.instruments import split_symbol
from tidegate.domain.messages import OrderFilled, TransferPosted
from tidegate.domain.money import EXACT, INT64_MAX, ZERO, Money, from_minor, to_minor
from tidegate.domain.orders import BalanceReport, Side

SCALE_DEFAULT = 8


class AccountKind(StrEnum):
    """What a ledger account is for; each exists once per asset."""

    FREE = "free"  # may be spent
    HELD = "held"  # set aside for open orders
    TRADING = "trading"  # clearing: one asset in, another out
    FEES = "fees"
    EXTERNAL = "external"  # the world outside: opening balances, deposits, withdrawals
    ROUNDING = "rounding"
    ADJUSTMENTS = "adjustments"  # differences to the venue that nothing else explains


_OWNED = frozenset({AccountKind.FREE, AccountKind.HELD})


class TransferKind(StrEnum):
    """Why value moved."""

    OPENING = "opening"
    HOLD = "hold"
    RELEASE = "release"
    FILL = "fill"
    FEE = "fee"
    REBATE = "rebate"
    ROUNDING = "rounding"
    ADJUSTMENT = "adjustment"


class LedgerAccount(NamedTuple):
    """One account of the books, written `free:USDT`."""

    kind: AccountKind
    asset: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.asset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Value that moved from `credit` to `debit`; a mistake is answered by a transfer back, never by a change."""

    id: TransferId
    key: str  # idempotency key, unique per trading account
    debit: LedgerAccount
    credit: LedgerAccount
    units: int  # of 10^-scale
    scale: int
    kind: TransferKind
    at: int  # µs, market time
    hold_key: str | None = None
    fill_id: FillId | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        assert self.units > 0, "direction is given by debit and credit, never by sign"
        assert self.debit.asset == self.credit.asset, "value never changes its asset"

    @property
    def money(self) -> Money:
        """What moved, always above zero."""
        return Money(from_minor(self.units, self.scale), self.debit.asset)

    def message(self, account_id: AccountId, trace_id: TraceId) -> TransferPosted:
        """The fact that the log keeps of it."""
        return TransferPosted(
            trace_id=trace_id,
            occurred_at=self.at,
            transfer_id=self.id,
            account_id=account_id,
            key=self.key,
            debit=str(self.debit),
            credit=str(self.credit),
            money=self.money,
            kind=self.kind,
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """A pending transfer from free: fills use it up, the rest is given back when it closes."""

    key: str
    asset: str
    units: int
    remaining: int  # units, never negative
    opened_at: int  # µs
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Balance:
    """What one ledger account stands at."""

    account: LedgerAccount
    units: int
    scale: int

    @property
    def quantity(self) -> Decimal:
        """The units as a decimal of the asset."""
        return from_minor(self.units, self.scale)


@dataclass(frozen=True, slots=True)
class Shortage:
    """A hold that free money does not cover; nothing was moved."""

    needed: Money
    free: Money
    code: str = "ledger.balance_too_small"

    @property
    def detail(self) -> str:
        """One sentence for a person."""
        return f"The order needs {self.needed}, but only {self.free} is free."


@dataclass(slots=True)
class Changes:
    """What the next commit must write of this stage."""

    transfers: list[Transfer] = field(default_factory=list)
    balances: dict[LedgerAccount, Balance] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.transfers or self.holds)


@dataclass(frozen=True, slots=True)
class AssetCheck:
    """Whether the books of one asset add up, and agree with the venue if it was asked."""

    asset: str
    sum: Decimal  # of all ledger accounts: 0
    drift: Decimal  # of the stored balances from the fold of all transfers, added up without signs: 0
    ours: Decimal  # free and held
    venue: Decimal | None  # free and held; None when the venue was not asked
    is_balanced: bool

    @property
    def difference(self) -> Decimal | None:
        """What the venue has more than we have booked."""
        return None if self.venue is None else self.venue - self.ours


def check(
    balances: Iterable[Balance],
    venue: Sequence[BalanceReport] | None,
    *,
    folded: Mapping[LedgerAccount, int] | None = None,
) -> list[AssetCheck]:
    """One line per asset in order of name; `folded` holds what all transfers of an account add up to, in units."""
    booked: dict[str, dict[AccountKind, Balance]] = {}
    for balance in balances:
        booked.setdefault(balance.account.asset, {})[balance.account.kind] = balance
    at_venue = None if venue is None else {report.asset: report.free + report.held for report in venue}
    if at_venue is not None:
        booked |= {asset: {} for asset, quantity in at_venue.items() if quantity and asset not in booked}
    return [
        _check_asset(asset, booked[asset], None if at_venue is None else at_venue.get(asset, ZERO), folded)
        for asset in sorted(booked)
    ]


def _check_asset(
    asset: str,
    accounts: Mapping[AccountKind, Balance],
    venue: Decimal | None,
    folded: Mapping[LedgerAccount, int] | None,
) -> AssetCheck:
    scale = next((balance.scale for balance in accounts.values()), SCALE_DEFAULT)
    total = sum(balance.units for balance in accounts.values())
    ours = sum(balance.units for kind, balance in accounts.items() if kind in _OWNED)
    drift = 0
    if folded is not None:
        drift = sum(abs(balance.units - folded.get(balance.account, 0)) for balance in accounts.values())
    # The venue may keep more decimals than we book; less than a unit is no difference.
    agrees = venue is None or to_minor(venue, scale)[0] == ours
    return AssetCheck(
        asset=asset,
        sum=from_minor(total, scale),
        drift=from_minor(drift, scale),
        ours=from_minor(ours, scale),
        venue=venue,
        is_balanced=total == 0 and drift == 0 and agrees,
    )


class _Story(NamedTuple):
    """What the transfers of one step share; those of a fill each add their own leg to the key."""

    key: str
    at: int
    hold_key: str | None = None
    fill_id: FillId | None = None
    reason: str = ""


class Books:
    """Every ledger account of one trading account; each verb returns the transfers it made."""

    def __init__(
        self,
        account_id: AccountId,
        *,
        draw_id: Callable[[], str],
        scales: Mapping[str, int] | None = None,
        units_max: int = INT64_MAX,
    ) -> None:
        self.account_id = account_id
        self._draw_id = draw_id
        self._units_max = units_max
        self._scales: dict[str, int] = dict(scales or {})
        self._units: dict[LedgerAccount, int] = {}
        self._holds: dict[str, Hold] = {}
        self.open_holds: Mapping[str, Hold] = MappingProxyType(self._holds)
        self._fill_ids: set[FillId] = set()
        self._changes = Changes()

    def restore(self, balances: Iterable[Balance], holds: Iterable[Hold], fill_ids: Iterable[FillId]) -> None:
        """Take over what an earlier life wrote; an asset keeps the scale it was booked in."""
        for balance in balances:
            self._scales[balance.account.asset] = balance.scale
            self._units[balance.account] = balance.units
        self._holds.update((hold.key, hold) for hold in holds if hold.is_open)
        self._fill_ids.update(fill_ids)

    def open_balance(self, asset: str, quantity: Decimal, at: int) -> tuple[Transfer, ...]:
        """What the venue held before we booked anything; once per asset."""
        story = _Story(f"opening:{asset}", at)
        return self._correct(story, TransferKind.OPENING, Money(quantity, asset), AccountKind.EXTERNAL)

    def adjust(
        self,
        key: str,
        asset: str,
        quantity: Decimal,
        *,
        reason: str,
        at: int,
        against: AccountKind = AccountKind.ADJUSTMENTS,
    ) -> tuple[Transfer, ...]:
        """Bring free to what the venue says: `quantity` is the difference and may be below zero."""
        story = _Story(key, at, reason=reason)
        return self._correct(story, TransferKind.ADJUSTMENT, Money(quantity, asset), against)

    def hold(self, key: str, money: Money, at: int) -> tuple[Transfer, ...] | Shortage:
        """Set money aside under a key that is used once; `Shortage` when free does not cover it."""
        if key in self._holds:
            raise Conflict(
                f"Hold {key!r} is open already; each order needs a key of its own.", code="ledger.hold_exists"
            )
        if money.quantity <= 0:
            raise Invalid(f"hold must be above 0, not {money}.", code="ledger.hold_invalid")
        units = self._rounded_up(money)
        free = self.free(money.asset)
        if units > self._units.get(LedgerAccount(AccountKind.FREE, money.asset), 0):
            return Shortage(money, Money(free, money.asset))
        self._set(Hold(key, money.asset, units, units, at))
        return tuple(
            self._move(
                _Story(f"hold:{key}", at, key),
                TransferKind.HOLD,
                units,
                debit=(AccountKind.HELD, money.asset),
                credit=(AccountKind.FREE, money.asset),
            )
        )

    def release(self, key: str, at: int) -> tuple[Transfer, ...]:
        """Close a hold and give back what no fill used; nothing happens when it is closed already."""
        hold = self._holds.get(key)
        if hold is None:
            return ()
        self._set(replace(hold, remaining=0, is_open=False))
        return tuple(
            self._move(
                _Story(f"release:{key}", at, key),
                TransferKind.RELEASE,
                hold.remaining,
                debit=(AccountKind.FREE, hold.asset),
                credit=(AccountKind.HELD, hold.asset),
            )
        )

    def book_fill(self, fill: OrderFilled, hold_key: str | None) -> tuple[Transfer, ...]:
        """Exchange one asset for the other and take the fee, once per fill id.

        What the hold does not cover, and what a fill without an open hold costs, comes out of free, which may then
        be overdrawn: the venue has moved the money already.
        """
        if fill.fill_id in self._fill_ids:
            return ()
        self._fill_ids.add(fill.fill_id)
        base, quote = split_symbol(fill.symbol)
        of_base = Money(fill.quantity, base)
        of_quote = Money(EXACT.multiply(fill.quantity, fill.price), quote)
        paid, received = (of_quote, of_base) if fill.side is Side.BUY else (of_base, of_quote)
        story = _Story(f"fill:{fill.fill_id}", fill.occurred_at, hold_key, fill.fill_id)
        transfers = self._pay(story, TransferKind.FILL, paid, AccountKind.TRADING)
        transfers += self._receive(story, TransferKind.FILL, received, AccountKind.TRADING)
        fee = fill.fee
        if fee.quantity > 0:
            transfers += self._pay(story, TransferKind.FEE, fee, AccountKind.FEES)
        elif fee.quantity < 0:
            rebate = Money(-fee.quantity, fee.asset)
            transfers += self._receive(story, TransferKind.REBATE, rebate, AccountKind.FEES)
        return tuple(transfers)

    def free(self, asset: str) -> Decimal:
        """What may be spent now; below zero when fills cost more than there was."""
        return from_minor(self._units.get(LedgerAccount(AccountKind.FREE, asset), 0), self._scale(asset))

    def held(self, asset: str) -> Decimal:
        """What open holds set aside."""
        return from_minor(self._units.get(LedgerAccount(AccountKind.HELD, asset), 0), self._scale(asset))

    def assets(self) -> list[str]:
        """Every asset that was ever booked, in order of name."""
        return sorted({account.asset for account in self._units})

    def balances(self) -> list[Balance]:
        """Every ledger account that was ever used."""
        return [Balance(account, units, self._scales[account.asset]) for account, units in self._units.items()]

    @property
    def is_overdrawn(self) -> bool:
        """Whether fills have cost more of an asset than was free."""
        return any(units < 0 for account, units in self._units.items() if account.kind is AccountKind.FREE)

    def take(self) -> Changes:
        """What is to be written, once."""
        taken, self._changes = self._changes, Changes()
        return taken

    # ── inside ──

    def _correct(
        self, story: _Story, kind: TransferKind, difference: Money, against: AccountKind
    ) -> tuple[Transfer, ...]:
        asset = difference.asset
        units, _ = to_minor(difference.quantity, self._scale(asset))
        debit, credit = (AccountKind.FREE, against) if units > 0 else (against, AccountKind.FREE)
        return tuple(self._move(story, kind, abs(units), debit=(debit, asset), credit=(credit, asset)))

    def _pay(self, story: _Story, kind: TransferKind, money: Money, to: AccountKind) -> list[Transfer]:
        """Out of the hold while it lasts, then out of free; the last unit that was rounded up goes to rounding."""
        asset, units = money.asset, self._rounded_up(money)
        hold = self._holds.get(story.hold_key or "")
        from_hold = min(units, hold.remaining) if hold is not None and hold.asset == asset else 0
        if hold is not None and from_hold:
            self._set(replace(hold, remaining=hold.remaining - from_hold))
        transfers = self._move(story, kind, from_hold, debit=(to, asset), credit=(AccountKind.HELD, asset))
        transfers += self._move(story, kind, units - from_hold, debit=(to, asset), credit=(AccountKind.FREE, asset))
        return transfers + self._round(story, money, to)

    def _receive(self, story: _Story, kind: TransferKind, money: Money, out_of: AccountKind) -> list[Transfer]:
        asset = money.asset
        units, _ = to_minor(money.quantity, self._scale(asset))
        transfers = self._move(story, kind, units, debit=(AccountKind.FREE, asset), credit=(out_of, asset))
        return transfers + self._round(story, money, out_of)

    def _round(self, story: _Story, money: Money, against: AccountKind) -> list[Transfer]:
        _, remainder = to_minor(money.quantity, self._scale(money.asset))
        return self._move(
            story,
            TransferKind.ROUNDING,
            1 if remainder else 0,
            debit=(AccountKind.ROUNDING, money.asset),
            credit=(against, money.asset),
        )

    def _move(
        self,
        story: _Story,
        kind: TransferKind,
        units: int,
        *,
        debit: tuple[AccountKind, str],
        credit: tuple[AccountKind, str],
    ) -> list[Transfer]:
        if units == 0:
            return []
        receiver, giver = LedgerAccount(*debit), LedgerAccount(*credit)
        moved = {receiver: self._units.get(receiver, 0) + units, giver: self._units.get(giver, 0) - units}
        if any(abs(after) > self._units_max for after in moved.values()):
            raise Invalid(
                f"{receiver.asset} cannot be booked with {self._scale(receiver.asset)} decimals: "
                f"{from_minor(units, self._scale(receiver.asset))} more is beyond what the database holds; "
                "give the asset a smaller scale.",
                code="ledger.asset_too_large",
            )
        transfer = Transfer(
            id=TransferId(self._draw_id()),
            key=story.key if story.fill_id is None else f"{story.key}:{kind}:{giver}",
            debit=receiver,
            credit=giver,
            units=units,
            scale=self._scale(receiver.asset),
            kind=kind,
            at=story.at,
            hold_key=story.hold_key,
            fill_id=story.fill_id,
            reason=story.reason,
        )
        self._changes.transfers.append(transfer)
        for account, after in moved.items():
            self._units[account] = after
            self._changes.balances[account] = Balance(account, after, transfer.scale)
        return [transfer]

    def _set(self, hold: Hold) -> None:
        assert 0 <= hold.remaining <= hold.units, "a hold is used up, never overdrawn"
        self._changes.holds[hold.key] = hold
        if hold.is_open:
            self._holds[hold.key] = hold
        else:
            del self._holds[hold.key]

    def _rounded_up(self, money: Money) -> int:
        units, remainder = to_minor(money.quantity, self._scale(money.asset))
        return units + bool(remainder)

    def _scale(self, asset: str) -> int:
        return self._scales.setdefault(asset, SCALE_DEFAULT)
