"""Signatures over the exact bytes that are sent: HMAC, Ed25519 and RSA keys."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tidegate.domain.errors import Invalid


class Signer(Protocol):
    """One secret, ready to sign."""

    def sign(self, payload: bytes) -> str:
        """The value of `signature`, not yet percent-encoded."""
        ...


class HmacSigner:
    """HMAC-SHA256 in hex; the key schedule is computed once and copied."""

    def __init__(self, secret: str) -> None:
        self._keyed = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    def sign(self, payload: bytes) -> str:
        keyed = self._keyed.copy()
        keyed.update(payload)
        return keyed.hexdigest()


class Ed25519Signer:
    """Ed25519 in base64."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        return base64.b64encode(self._key.sign(payload)).decode()


class RsaSigner:
    """RSA PKCS#1 v1.5 over SHA-256 in base64."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, payload: bytes) -> str:
        return base64.b64encode(self._key.sign(payload, PKCS1v15(), hashes.SHA256())).decode()


def signer_of(secret: str) -> Signer:
    """The signer for a secret: a PKCS#8 PEM text is an Ed25519 or RSA key, anything else an HMAC secret."""
    if not secret.lstrip().startswith("-----BEGIN"):
        return HmacSigner(secret)
    try:
        key = load_pem_private_key(secret.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(key)
    if isinstance(key, RSAPrivateKey):
        return RsaSigner(key)
    raise Invalid("secret must be an unencrypted PKCS#8 PEM of an Ed25519 or RSA key.", code="venue.key_unreadable")


def signed_query(signer: Signer, query: str) -> str:
    """The query with its signature; what is signed must be percent-encoded already."""
    return f"{query}&signature={quote(signer.sign(query.encode()), safe='')}"


def signed_params(signer: Signer, params: Mapping[str, str | int]) -> dict[str, str | int]:
    """Parameters of a WebSocket API request with their signature: sorted by name, values as they are."""
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return {**params, "signature": signer.sign(payload.encode())}
