"""Rate limits in windows aligned to the wall clock: request weight of the one address, orders of each account."""

from tidegate.domain.ids import AccountId
from tidegate.venues.simulator.wire import WireError

_MINUTE_MS = 60_000
_TEN_SECONDS_MS = 10_000
_DAY_MS = 86_400_000
_BAN_MS = 120_000
_ABUSE_MAX = 20  # requests inside a 429 before the address is banned


class Window:
    """A count that begins anew with each window."""

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._number = 0
        self.count = 0

    def add(self, units: int, now_ms: int) -> int:
        """The count of the window that contains now, after adding; it never falls below 0."""
        number = now_ms // self._length_ms
        if number != self._number:
            self._number, self.count = number, 0
        self.count = max(0, self.count + units)
        return self.count

    def seconds_left(self, now_ms: int) -> int:
        """Whole seconds until the next window, at least 1."""
        return max(1, -(-(self._length_ms - now_ms % self._length_ms) // 1_000))


class Limits:
    """What one address may ask and one account may place; a scale widens both for tapes faster than life."""

    def __init__(self, scale: int) -> None:
        self.weight_max = 6_000 * scale
        self.orders_10s_max = 100 * scale
        self.orders_day_max = 200_000 * scale
        self._weight = Window(_MINUTE_MS)
        self._orders: dict[AccountId, tuple[Window, Window]] = {}
        self._abuses = 0
        self._banned_until_ms = 0

    def spend(self, weight: int, now_ms: int) -> None:
        """Count the weight; 429 above the limit, 418 for who goes on regardless."""
        if now_ms < self._banned_until_ms:
            raise WireError(
                -1003,
                f"Way too much request weight used; IP banned until {self._banned_until_ms}. "
                "Please use WebSocket Streams for live updates to avoid bans.",
                status=418,
                retry_after_s=-(-(self._banned_until_ms - now_ms) // 1_000),
            )
        if self._weight.add(weight, now_ms) <= self.weight_max:
            self._abuses = 0
            return
        self._abuses += 1
        if self._abuses > _ABUSE_MAX:
            self._banned_until_ms = now_ms + _BAN_MS
            self._abuses = 0
        raise WireError(
            -1003,
            f"Too much request weight used; current limit is {self.weight_max} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
            status=429,
            retry_after_s=self._weight.seconds_left(now_ms),
        )

    def refund(self, weight: int, now_ms: int) -> None:
        """Successful trading calls cost nothing."""
        self._weight.add(-weight, now_ms)

    def used_weight(self, now_ms: int) -> int:
        """Weight of this minute."""
        return self._weight.add(0, now_ms)

    def check_orders(self, account_id: AccountId, now_ms: int) -> None:
        """-1015 when the account may place nothing in this window."""
        for window, most, words in zip(
            self._windows(account_id),
            (self.orders_10s_max, self.orders_day_max),
            ("10 SECOND", "1 DAY"),
            strict=True,
        ):
            if window.add(0, now_ms) >= most:
                raise WireError(
                    -1015,
                    f"Too many new orders; current limit is {most} orders per {words}.",
                    status=429,
                    retry_after_s=window.seconds_left(now_ms),
                )

    def count_orders(self, account_id: AccountId, units: int, now_ms: int) -> None:
        """+1 for an accepted order, less for one that begins to fill."""
        for window in self._windows(account_id):
            window.add(units, now_ms)

    def order_counts(self, account_id: AccountId, now_ms: int) -> tuple[int, int]:
        """Unfilled orders of these 10 s and of this day."""
        short, day = self._windows(account_id)
        return short.add(0, now_ms), day.add(0, now_ms)

    def as_rows(self) -> list[dict[str, object]]:
        """`rateLimits` of exchangeInfo."""
        return [
            _row("REQUEST_WEIGHT", "MINUTE", 1, self.weight_max),
            _row("ORDERS", "SECOND", 10, self.orders_10s_max),
            _row("ORDERS", "DAY", 1, self.orders_day_max),
            _row("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ]

    def _windows(self, account_id: AccountId) -> tuple[Window, Window]:
        windows = self._orders.get(account_id)
        if windows is None:
            windows = self._orders[account_id] = (Window(_TEN_SECONDS_MS), Window(_DAY_MS))
        return windows


def _row(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
