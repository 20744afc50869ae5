"""Passwords, tokens and keys: how each is made, hashed and checked."""

import asyncio
import hashlib
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from tidegate.accounts.model import User
from tidegate.domain.errors import Invalid
from tidegate.domain.ids import UserId
from tidegate.kit.ids import new_id

ACCESS_TOKEN_S = 600
SECRET_KEY_LENGTH_MIN = 32
_ALGORITHM = "EdDSA"
_ISSUER = "tidegate"
_AUDIENCE = "tidegate-api"
_CLAIMS = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "epoch"]
_HASHERS_AT_ONCE = 2  # each takes a core and 64 MiB for a quarter of a second


def digest(secret: str) -> str:
    """The stored form of a random token: no salt is needed where nobody can guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Passwords:
    """argon2id, in threads, a few at a time."""

    def __init__(self, hasher: Argon2Hasher | None = None) -> None:
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._turn = asyncio.Semaphore(_HASHERS_AT_ONCE)
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """The stored form."""
        async with self._turn:
            return await asyncio.to_thread(self._hash.hash, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; for nobody's (None) it takes as long and says no."""
        if stored is None:
            if not self._nobody:
                self._nobody = await self.hash(new_id())
            stored, is_somebody = self._nobody, False
        else:
            is_somebody = True
        async with self._turn:
            return await asyncio.to_thread(self._hash.verify, password, stored) and is_somebody


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says."""

    user_id: UserId
    epoch: int
    expires_at_s: int


class AccessTokens:
    """Signed with an Ed25519 key derived from SECRET_KEY, valid for ten minutes."""

    def __init__(self, secret_key: str) -> None:
        if len(secret_key) < SECRET_KEY_LENGTH_MIN:
            raise Invalid(
                f"SECRET_KEY must have at least {SECRET_KEY_LENGTH_MIN} characters;"
                " draw it with `openssl rand -base64 32`.",
                code="accounts.secret_key_short",
            )
        derived = HKDF(SHA256(), 32, salt=None, info=b"tidegate access token v1").derive(secret_key.encode())
        self._private = Ed25519PrivateKey.from_private_bytes(derived)
        self._public = self._private.public_key()

    def issue(self, user: User, now_us: int) -> str:
        """A token that holds while the user's epoch stays what it is."""
        now_s = now_us // 1_000_000
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": user.user_id,
            "epoch": user.session_epoch,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + ACCESS_TOKEN_S,
            "jti": new_id(),
        }
        return jwt.encode(claims, self._private, algorithm=_ALGORITHM)

    def claims(self, token: str, now_us: int) -> AccessClaims | None:
        """What it says, or None when it is not ours, not yet or no longer valid."""
        try:
            # Times are compared with our own clock below, so that there is one clock.
            said = jwt.decode(
                token,
                self._public,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": _CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return None
        now_s = now_us // 1_000_000
        if not int(said["nbf"]) <= now_s < int(said["exp"]):
            return None
        return AccessClaims(UserId(said["sub"]), int(said["epoch"]), int(said["exp"]))
