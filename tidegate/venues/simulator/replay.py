"""Which tape a list of files makes."""

from collections.abc import Sequence
from pathlib import Path

from tidegate.domain.errors import Invalid, NotFound
from tidegate.venues.simulator.candle_files import CandleFile, is_candle_file
from tidegate.venues.simulator.candle_tape import CandleTape
from tidegate.venues.simulator.capture import CaptureTape, is_capture
from tidegate.venues.simulator.tape import Tape

SAMPLE = "sample"
SAMPLES = Path(__file__).parent / "samples"


def open_replay(names: Sequence[str]) -> Tape:
    """Recordings (with candle files as their history) or candle files; `sample` is what comes along."""
    paths: list[Path] = []
    for name in names:
        paths += sorted(path for path in SAMPLES.iterdir() if _is_replayable(path)) if name == SAMPLE else [Path(name)]
    for path in paths:
        if not path.is_file():
            raise NotFound(f"{path} does not exist: give --replay the path of a file.", code="simulator.no_file")
        if not _is_replayable(path):
            raise Invalid(
                f"{path} is neither a recording (.jsonl.gz) nor a candle file (.feather, .parquet, .csv, .csv.gz).",
                code="simulator.replay_unknown",
            )
    captures = [path for path in paths if is_capture(path)]
    candles = [CandleFile(path) for path in paths if is_candle_file(path)]
    return CaptureTape(captures, candles) if captures else CandleTape(candles)


def _is_replayable(path: Path) -> bool:
    return is_capture(path) or is_candle_file(path)
