"""What every test shares: PostgreSQL and Valkey from wheels, and the time each folder of tests may take."""

import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers"]

TESTS = Path(__file__).parent
SPENT_S = pytest.StashKey[dict[str, float]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SPENT_S] = {}
    config.pluginmanager.register(FolderTimes(config.stash[SPENT_S]))


class FolderTimes:
    """Adds up set-up, test and tear-down of each folder; several workers spend more than the wall time."""

    def __init__(self, spent_s: dict[str, float]) -> None:
        self._spent_s = spent_s

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        parts = Path(report.nodeid.partition("::")[0]).parts
        folder = parts[1] if len(parts) > 2 else parts[0]
        self._spent_s[folder] = self._spent_s.get(folder, 0.0) + report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    spent_s = config.stash[SPENT_S]
    if not spent_s:
        return
    pyproject = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    budget_s: dict[str, int] = pyproject["tool"]["tidegate"]["test_budget_s"]
    terminalreporter.section("seconds of tests in each folder, of its budget")
    for folder, seconds in sorted(spent_s.items()):
        allowed = budget_s.get(folder, 0)
        over = f"   OVER BUDGET by {seconds - allowed:.1f} s" if seconds > allowed else ""
        terminalreporter.line(f"{folder:12} {seconds:7.1f} of {allowed:4}{over}", red=bool(over))
    total, allowed = sum(spent_s.values()), sum(budget_s.values())
    over = f"   OVER BUDGET by {total - allowed:.1f} s" if total > allowed else ""
    terminalreporter.line(f"{'all':12} {total:7.1f} of {allowed:4}{over}", red=bool(over))
