"""What every benchmark needs: quantiles, one JSON line, a child of the product with a data folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
CLI = (sys.executable, "-m", "tidegate.app.cli")


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all values lie below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def emit(**figures: object) -> None:
    """The one line of a script; floats with three digits that count."""
    print(json.dumps({name: _short(value) for name, value in figures.items()}), flush=True)


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Ours without any setting of Tidegate, then these."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    return ours | {"PYTHONPATH": str(REPOSITORY), "TIDEGATE_DATA_DIR": str(folder), **settings}


def run_verb(*words: str, folder: Path, **settings: str) -> str:
    """One verb to its end; what it printed."""
    done = subprocess.run(
        [*CLI, *words], cwd=folder, env=environment(folder, **settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"tidegate {' '.join(words)} failed: {done.stderr.strip()}")
    return done.stdout


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    return value
