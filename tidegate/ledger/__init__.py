"""Stage 6: double entry for every trading account: holds, fills, fees, adjustments.

In: opening balances, holds for approved orders, fills, differences that the venue explains.
Out: transfers (rows and `TransferPosted`), balances of free and held, the check of the books.
Promise: value moves and never appears: per asset all ledger accounts sum to zero after every step. A fill is booked
once, whatever is repeated; free money is never held twice; what moved at the venue is booked even if it overdraws.
"""
