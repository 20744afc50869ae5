"""Tokens: only ours, only now, only while the key is the same."""

import asyncio

import jwt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from tidegate.accounts.model import Role, User
from tidegate.accounts.secrets import ACCESS_TOKEN_S, AccessTokens, Passwords
from tidegate.domain.errors import Invalid
from tidegate.domain.ids import TenantId, UserId

NOON = 1_700_000_000_000_000
SECOND = 1_000_000
USER = User(UserId("u1"), TenantId("t1"), "a@b.c", Role.OWNER, 3, NOON)
TOKENS = AccessTokens("k" * 32)


def test_a_token_says_who_and_in_which_epoch() -> None:
    claims = TOKENS.claims(TOKENS.issue(USER, NOON), NOON)
    assert claims is not None
    assert (claims.user_id, claims.epoch) == (USER.user_id, 3)


@pytest.mark.parametrize(
    ("after_s", "holds"), [(-1, False), (0, True), (ACCESS_TOKEN_S - 1, True), (ACCESS_TOKEN_S, False)]
)
def test_a_token_holds_from_its_issue_for_ten_minutes(after_s: int, holds: bool) -> None:
    assert ACCESS_TOKEN_S <= 600
    token = TOKENS.issue(USER, NOON)
    assert (TOKENS.claims(token, NOON + after_s * SECOND) is not None) is holds


def test_a_token_of_another_key_is_not_ours() -> None:
    assert TOKENS.claims(AccessTokens("x" * 32).issue(USER, NOON), NOON) is None


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_of_another_algorithm_is_not_ours(algorithm: str) -> None:
    said = jwt.decode(TOKENS.issue(USER, NOON), options={"verify_signature": False})
    forged = jwt.encode(said, "" if algorithm == "none" else "k" * 32, algorithm=algorithm)
    assert TOKENS.claims(forged, NOON) is None


def test_a_token_that_lacks_a_claim_is_not_ours() -> None:
    for name in ("exp", "iss", "aud", "sub", "epoch", "jti"):
        said = jwt.decode(TOKENS.issue(USER, NOON), options={"verify_signature": False})
        del said[name]
        assert TOKENS.claims(jwt.encode(said, TOKENS._private, algorithm="EdDSA"), NOON) is None, name


def test_a_short_secret_key_is_refused_by_its_name() -> None:
    with pytest.raises(Invalid, match="SECRET_KEY must have at least 32 characters"):
        AccessTokens("k" * 31)


def test_a_password_matches_itself_and_nobodys_matches_nothing() -> None:
    passwords = Passwords(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1))

    async def check() -> None:
        stored = await passwords.hash("a long enough password")
        assert stored.startswith("$argon2id$")
        assert await passwords.matches("a long enough password", stored)
        assert not await passwords.matches("another password", stored)
        assert not await passwords.matches("another password", None)

    asyncio.run(check())
