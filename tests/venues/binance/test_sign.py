"""Signatures: the venue's published vectors, and keys that the matching public key verifies."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tidegate.domain.errors import Invalid
from tidegate.venues.binance.sign import HmacSigner, signed_params, signed_query, signer_of

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
ORDER = "&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (
            "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96",
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
    ],
)
def test_a_query_is_signed_as_the_venue_publishes_it(symbol: str, signature: str) -> None:
    query = f"symbol={symbol}{ORDER}"
    signer = HmacSigner(SECRET)
    assert signed_query(signer, query) == f"{query}&signature={signature}"
    assert signed_query(signer, query).endswith(signature), "a prepared key signs twice alike"


def test_websocket_parameters_are_signed_in_the_order_of_their_names() -> None:
    params: dict[str, str | int] = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "recvWindow": 100,
        "timestamp": 1645423376532,
        "apiKey": API_KEY,
    }
    signed = signed_params(HmacSigner(SECRET), params)
    assert signed["signature"] == "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    assert {name: signed[name] for name in params} == params


def test_an_ed25519_key_signs_what_its_public_key_verifies() -> None:
    key = Ed25519PrivateKey.generate()
    signature = signer_of(pem(key)).sign(b"timestamp=1")
    key.public_key().verify(base64.b64decode(signature), b"timestamp=1")


def test_an_rsa_key_signs_what_its_public_key_verifies_and_is_percent_encoded_in_a_query() -> None:
    key = generate_private_key(public_exponent=65_537, key_size=2_048)
    signer = signer_of(pem(key))
    key.public_key().verify(base64.b64decode(signer.sign(b"a=1")), b"a=1", PKCS1v15(), hashes.SHA256())
    assert not set("+/=") & set(signed_query(signer, "a=1").partition("&signature=")[2])


def test_a_pem_that_holds_no_usable_key_is_refused_by_a_sentence() -> None:
    with pytest.raises(Invalid, match="PKCS#8"):
        signer_of("-----BEGIN PRIVATE KEY-----\nbm90aGluZw==\n-----END PRIVATE KEY-----\n")


def pem(key: Ed25519PrivateKey | RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
