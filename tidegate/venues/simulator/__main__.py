"""`python -m tidegate.venues.simulator --seed N --key K --secret S`: an exchange without the rest of the product."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tidegate.domain.errors import TidegateError
from tidegate.venues.simulator.journal import reset
from tidegate.venues.simulator.options import SimulatorOptions, parse_balances, parse_speed, parse_symbols
from tidegate.venues.simulator.server import run
from tidegate.venues.simulator.sign import Credential
from tidegate.venues.simulator.symbols import DEFAULT_SYMBOLS

EXIT_REFUSED = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped, or with `reset` forget the world in `--directory`; 2 and one sentence when refused."""
    asked = _parser().parse_args(argv)
    try:
        if asked.verb == "reset":
            reset(asked.directory)
        else:
            run(options_of(asked))
    except TidegateError as problem:
        sys.stderr.write(f"{problem}\n")
        return EXIT_REFUSED
    return 0


def options_of(asked: argparse.Namespace) -> SimulatorOptions:
    """The options that command line arguments mean."""
    replays = [name for names in asked.replay for name in names.split(",") if name]
    return SimulatorOptions(
        credentials=(Credential(asked.key, asked.secret),),
        port=asked.port,
        seed=asked.seed,
        replay=tuple(replays),
        speed=parse_speed(asked.speed),
        participants=asked.participants,
        balances=parse_balances(asked.balance),
        symbols=parse_symbols(asked.symbols),
        directory=asked.directory,
        control_token=asked.control_token,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tidegate.venues.simulator", description=__doc__)
    parser.add_argument("verb", nargs="?", choices=("serve", "reset"), default="serve")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", action="append", default=[], help="file, repeatable or with commas; or sample")
    parser.add_argument("--speed", default="1", help="tape seconds a wall second, max or step")
    parser.add_argument("--participants", type=int, default=1, help="acknowledgements a step needs")
    parser.add_argument("--key", default="simulator-key")
    parser.add_argument("--secret", default="simulator-secret")
    parser.add_argument("--balance", default="USDT=10000,BTC=1")
    parser.add_argument("--symbols", default=",".join(DEFAULT_SYMBOLS))
    parser.add_argument("--directory", type=Path, default=None, help="where the world is kept; in memory without")
    parser.add_argument("--control-token", default=None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
