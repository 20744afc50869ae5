"""The server around the application: says when it listens, names a busy port, ends when it is told to."""

import asyncio
import socket
from pathlib import Path

import pytest
from httpx import AsyncClient

from tests.database.api.product import Product, a_product
from tidegate.app.main import ApiParts, serve
from tidegate.domain.errors import Unavailable

pytestmark = pytest.mark.anyio


def at(product: Product, port: int) -> ApiParts:
    """The parts of the product on another port."""
    changed = product.parts.settings.model_copy(update={"port": port})
    return ApiParts(**{name: getattr(product.parts, name) for name in ApiParts.__slots__} | {"settings": changed})


async def test_a_busy_port_is_named_with_the_setting_that_changes_it(sqlite_url: str, tmp_path: Path) -> None:
    async with a_product(sqlite_url, tmp_path) as product:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(Unavailable, match=f"Port {port} of 127.0.0.1 cannot be used: .* TIDEGATE_PORT"):
                await serve(at(product, port), lambda: None)


async def test_it_serves_from_the_moment_it_says_so_until_it_is_cancelled(sqlite_url: str, tmp_path: Path) -> None:
    async with a_product(sqlite_url, tmp_path) as product:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        ready = asyncio.Event()
        serving = asyncio.create_task(serve(at(product, port), ready.set))
        async with asyncio.timeout(10):
            await ready.wait()
            async with AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                assert (await client.get("/healthz")).json() == {"status": "ok"}
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
