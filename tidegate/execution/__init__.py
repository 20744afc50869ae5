"""Stage 5: the life of orders, brackets and positions at the venue.

In: approved intents, what the venue answers and reports, commands to cancel or exit.
Out: every step of an order as a fact, positions, round trips, and the calls that the venue must be made.
Promise: at-most-once placement, exactly-once accounting. An order is durable before its first byte leaves, an attempt
is sent once, an unknown outcome is asked of the venue and never guessed, and a position is protected or being closed.
"""
