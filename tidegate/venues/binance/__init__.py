"""Binance Spot.

In: order tickets and questions. Out: market events, account reports, answers.
Promise: an order is sent once; what is not certain is said to be unknown; what cannot be read is
counted, never guessed.
"""
