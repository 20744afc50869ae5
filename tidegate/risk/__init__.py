"""Stage 4: whether an order may go out: kill switch, freshness of data, collar, sizes, losses.

In: proposed intents, what is known of the account at that moment, limits of platform, account and bot.
Out: no objection, or one denial with a stable code, what was observed and the bound.
Promise: unknown is denied. A limit that is set never passes an order whose measure is missing; orders whose outcome is
unknown count as filled; an exit that reduces a position is never denied by an entry limit or the kill switch.
"""
