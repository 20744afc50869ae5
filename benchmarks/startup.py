"""From `tidegate up` to ready: the first start (nothing is there) and the next ones, and what all of it weighs at rest.

Memory is the proportional set size of every process, summed: a page that three processes share counts once.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks._shared import CLI, emit, environment

_IDLE_S = 10.0
_STARTS = 3  # after the first
_IMPORTS = 5


def main() -> None:
    """Print one line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--starts", type=int, default=_STARTS)
    starts = options.parse_args().starts
    with tempfile.TemporaryDirectory(prefix="tidegate-startup-") as folder:
        first_s, _ = _start(Path(folder), rests_s=0.0)
        again = [_start(Path(folder), rests_s=0.0)[0] for _ in range(starts - 1)]
        last_s, weights = _start(Path(folder), rests_s=_IDLE_S)
    emit(
        what="startup",
        first_start_s=first_s,
        second_start_s=statistics.median([*again, last_s]),
        second_start_s_target=3.0,
        import_s=statistics.median(_import_s() for _ in range(_IMPORTS)),
        import_s_target=0.5,
        idle_pss_mb=float(sum(weights.values())),
        idle_pss_mb_target=400,
        idle_pss_mb_of=weights,
    )


def _start(folder: Path, *, rests_s: float) -> tuple[float, dict[str, float]]:
    """Seconds from the start of the command to its line, and megabytes by part after a rest."""
    begun_s = time.perf_counter()
    process = subprocess.Popen(
        [*CLI, "up", "--json"],
        cwd=folder,
        env=environment(folder / "data", TIDEGATE_PORT="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    ready_s = time.perf_counter() - begun_s
    if not line or "url" not in json.loads(line):
        raise SystemExit("tidegate up did not start")
    time.sleep(rests_s)
    weights = _weights(process.pid) if rests_s else {}
    process.send_signal(signal.SIGINT)
    process.wait()
    process.stdout.close()
    return ready_s, weights


def _weights(pid: int) -> dict[str, float]:
    supervisor = psutil.Process(pid)
    return {_name(each): _pss_mb(each.pid) for each in (supervisor, *supervisor.children(recursive=True))}


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    if "--supervised" in words:
        return words[words.index("--supervised") + 1]
    return "supervisor" if "up" in words else process.name()


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1_000
    return 0.0


def _import_s() -> float:
    begun_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import tidegate.app.cli"], check=True)
    return time.perf_counter() - begun_s


if __name__ == "__main__":
    main()
