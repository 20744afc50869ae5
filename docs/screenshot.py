"""Makes docs/images/page.png: a new Tidegate on a seeded market, three bots, and its page once they have traded.

    .venv-dev/bin/python docs/screenshot.py

Needs a Chromium: the one on the PATH, or the one that `playwright install chromium` brings.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from tidegate.app.settings import child_environment
from tidegate.kit.clock import SystemClock

PICTURE = Path(__file__).parent / "images" / "page.png"
BOTS = """
- {name: btc-cross, symbol: BTC/USDT, timeframe: 1m, strategy: ema_cross, parameters: {fast: 5, slow: 13}}
- {name: eth-cross, symbol: ETH/USDT, timeframe: 1m, strategy: ema_cross, parameters: {fast: 8, slow: 21}}
- {name: sol-cipher, symbol: SOL/USDT, timeframe: 1m, strategy: quantum_cipher}
"""
SPEED = "60"  # market seconds a second
SEED = "7"
ORDERS_WANTED = 24
WITHIN_S = 240.0
PASSWORD = "a password for one picture"
CLI = (sys.executable, "-m", "tidegate.app.cli")


def main() -> None:
    """Start, trade, log in, take the picture, stop."""
    with tempfile.TemporaryDirectory(prefix="tidegate-picture-") as folder:
        environment = child_environment(TIDEGATE_DATA_DIR=folder, TIDEGATE_PORT="0")
        with running(environment) as told:
            bots = Path(folder) / "bots.yaml"
            bots.write_text(BOTS)
            subprocess.run([*CLI, "bots", "apply", "-f", str(bots)], env=environment, check=True)
            wait_for_orders(environment)
            photograph(told["url"], told["setup_token"])


@contextmanager
def running(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """`tidegate up`, and what it says of itself when it is ready."""
    command = [*CLI, "up", "--json", "--speed", SPEED, "--seed", SEED]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as product:
        assert product.stdout is not None
        try:
            yield json.loads(product.stdout.readline())
        finally:
            product.terminate()


def wait_for_orders(environment: dict[str, str]) -> None:
    """Until the bots have something to show."""
    clock = SystemClock()
    started_s = clock.monotonic_s()
    while clock.monotonic_s() - started_s < WITHIN_S:
        command = [*CLI, "orders", "--json", "--limit", str(ORDERS_WANTED)]
        listed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        if len(json.loads(listed.stdout)) >= ORDERS_WANTED:
            return
        time.sleep(2)


def photograph(url: str, setup_token: str) -> None:
    """Become the first owner and take the whole page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1180, "height": 900})
        page.goto(url)
        page.fill("#token", setup_token)
        page.fill("#email", "owner@example.org")
        page.fill("#password", PASSWORD)
        page.click("button")
        page.wait_for_selector("table")
        page.screenshot(path=PICTURE, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
