"""A whole Tidegate as a person starts it: `tidegate up` in a process of its own, and the other verbs beside it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

CLI = (sys.executable, "-m", "tidegate.app.cli")
START_S, STOP_S = 60.0, 15.0

BOTS = """
- name: quick
  symbol: BTC/USDT
  timeframe: 1m
  strategy: ema_cross
  parameters: {fast: 2, slow: 3, rsi_bound: 100}
  sizing: {kind: percent, value: 5}
  stop_loss_pct: 1
  take_profit_pct: 1
"""


@dataclass
class Product:
    """One data folder, and what runs on it."""

    folder: Path
    options: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    told: dict[str, Any] = field(default_factory=dict)  # what `up --json` printed when it was ready

    @property
    def url(self) -> str:
        return str(self.told["url"])

    def up(self) -> "Product":
        """Start it and wait until it is ready."""
        with (self.folder / "up.err").open("w") as complaints:
            self.process = subprocess.Popen(
                [*CLI, "up", "--json", *self.options],
                cwd=self.folder,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.complaints()
        self.told = json.loads(line)
        return self

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        """Wait for its end, however it comes."""
        assert self.process is not None and self.process.stdout is not None
        code = self.process.wait(STOP_S)
        self.process.stdout.close()
        self.process = None
        return code

    def parts(self) -> dict[str, psutil.Process]:
        """The processes of the parts, by the last word of what started them, or the name of the program."""
        assert self.process is not None
        return {_name(child): child for child in psutil.Process(self.process.pid).children()}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another verb on the same data folder."""
        return subprocess.run(
            [*CLI, *words],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *words: str) -> Any:
        """What a verb prints for a program; it must succeed."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def complaints(self) -> str:
        """All that `up` said on stderr."""
        return (self.folder / "up.err").read_text()

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        told = {"TIDEGATE_DATA_DIR": str(self.folder / "data"), "TIDEGATE_PORT": "0"}
        return ours | told | {"PYTHONPATH": os.getcwd()} | self.settings


def _name(child: psutil.Process) -> str:
    words = child.cmdline()
    return words[words.index("--supervised") + 1] if "--supervised" in words else child.name()
