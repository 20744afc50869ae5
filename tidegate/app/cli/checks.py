"""`tidegate smoke` and `tidegate doctor`: is it well, and what to do if not."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.app.cli.speaking import AsJson, ExitCode, say, say_json, warn

if TYPE_CHECKING:
    from tidegate.app.smoke import SmokeResult

_LOOK_EVERY_S = 0.5


def smoke(
    url: Annotated[str, typer.Argument(help="The running Tidegate, such as http://127.0.0.1:8000.")],
    wait_s: Annotated[float, typer.Option(min=0, help="How long the first story may take.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Prove that a running Tidegate trades: a candle, signal, order, fill and transfer under one trace id."""
    from tidegate.app.cli.client import connect
    from tidegate.app.smoke import look
    from tidegate.kit.clock import SystemClock

    clock = SystemClock()
    started_s = clock.monotonic_s()
    product = connect(url)
    result = look(product)
    while not result.holds and clock.monotonic_s() - started_s < wait_s:
        time.sleep(_LOOK_EVERY_S)
        result = look(product)
    _tell_smoke(result, round(clock.monotonic_s() - started_s, 3), as_json)


def doctor(as_json: AsJson = False) -> None:
    """Tell what is missing, wrong or skewed on this machine, and the fix of each."""
    from tidegate.app.doctor import examine

    findings = examine()
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{finding.state.value:7} {finding.name:12} {finding.sentence}")
            if finding.fix:
                say(f"{'':20} fix: {finding.fix}")
    if any(finding.is_bad for finding in findings):
        raise typer.Exit(int(ExitCode.FAILED))


def _tell_smoke(result: "SmokeResult", seconds: float, as_json: bool) -> None:
    told = asdict(result) | {"holds": result.holds, "seconds": seconds}
    if as_json:
        say_json(told)
    else:
        for name, value in told.items():
            if name != "missing":
                say(f"{name:16} {value}")
    if not result.holds:
        warn(f"Error: {result.missing}")
        raise typer.Exit(int(ExitCode.FAILED))
