"""The shared words of every stage: ids, money, instruments, candles, orders, messages, errors, the venue ports.

Plain Python without a framework and without I/O; every other package may import it, it imports none of them.
"""
