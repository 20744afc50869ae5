"""Beside the pipeline: tenants, their users and trading accounts, and how somebody proves who they are.

In: set-up tokens, passwords, session cookies, access tokens, API keys.
Out: the caller behind a request, the trading accounts that a tenant owns.
Promise: no secret is stored as it was given; ending a session or a key takes effect with the next request.
"""
