"""Candle files of others: feather, Parquet or CSV, read whole or refused with the row, the column and the fix."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tidegate.domain.candles import CandleSource, duration_us, floor_time
from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import from_stream_symbol, parse_symbol
from tidegate.market.archive import NUMBERS, frame_schema
from tidegate.market.model import Series

if TYPE_CHECKING:
    import polars as pl

_TIME_NAMES = ("opened_at", "date", "timestamp", "ts", "open_time", "time")
_KINDS = {".feather": "feather", ".arrow": "feather", ".parquet": "Parquet", ".csv": "CSV"}
_NAME = re.compile(r"^(?P<symbol>[A-Za-z0-9]+(?:[-_/][A-Za-z0-9]+)?)-(?P<timeframe>\d+[smhdw])(?=[-.])")


@dataclass(frozen=True, slots=True)
class CandleFile:
    """The candles of one file: checked, in time order, each open time once."""

    series: Series
    frame: "pl.DataFrame"


def read_candle_file(path: Path, *, symbol: str | None = None, timeframe: str | None = None) -> CandleFile:
    """Symbol and timeframe are taken from the name (`BTCUSDT-1m-…`, `BTC_USDT-1m.feather`) where not given."""
    series = _series_of(path, symbol, timeframe)
    table = _read(path)
    if table.is_empty():
        _refuse(path, "it has no rows; export it again")
    columns = {name.lower(): name for name in table.columns}
    time_name = next((columns[name] for name in _TIME_NAMES if name in columns), None)
    missing = [name for name in NUMBERS if name not in columns] + ([] if time_name else ["date"])
    if time_name is None or missing:
        _refuse(path, f"column {missing[0]} is missing (there are {', '.join(table.columns)}); add or rename it")
    return CandleFile(series, _checked(path, series, table, columns, time_name))


def _series_of(path: Path, symbol: str | None, timeframe: str | None) -> Series:
    name = _NAME.match(path.name)
    if timeframe is None:
        if name is None:
            _refuse(
                path,
                "the name does not tell the timeframe, as in BTCUSDT-1m.csv; rename the file or give the timeframe",
            )
        timeframe = name["timeframe"]
    if symbol is None:
        if name is None:
            _refuse(path, "the name does not tell the symbol, as in BTCUSDT-1m.csv; rename the file or give the symbol")
        text = name["symbol"]
        symbol = from_stream_symbol(text) if text.isalnum() else text
    duration_us(timeframe)
    return Series(parse_symbol(symbol), timeframe)


def _read(path: Path) -> "pl.DataFrame":
    import polars as pl

    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    kind = _KINDS.get(suffix.lower())
    if kind is None or (path.suffix == ".gz" and kind != "CSV"):
        _refuse(path, "the name must end in .feather, .parquet, .csv or .csv.gz; convert the file")
    if not path.is_file():
        _refuse(path, "there is no such file; correct the path")
    try:
        match kind:
            case "feather":
                return pl.read_ipc(path)
            case "Parquet":
                return pl.read_parquet(path)
            case _:
                return pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        _refuse(path, f"it cannot be read as {kind} ({reason}); export it again")


def _checked(
    path: Path, series: Series, table: "pl.DataFrame", columns: dict[str, str], time_name: str
) -> "pl.DataFrame":
    import polars as pl

    schema = frame_schema()
    optional = {
        name: pl.col(columns[name]).cast(pl.String).cast(schema[name], strict=False)
        if name in columns
        else pl.lit(0, schema[name])
        for name in ("quote_volume", "trade_count")
    }
    numbers = {name: pl.col(columns[name]).cast(pl.String).cast(schema[name], strict=False) for name in NUMBERS}
    frame = table.select(
        _time(table, time_name).alias("opened_at"),
        **numbers,
        **optional,
        source=pl.lit(CandleSource.FILE.value),
        revision=pl.lit(0, pl.Int64),
    )
    for name in ("opened_at", *NUMBERS):
        column = time_name if name == "opened_at" else columns[name]
        what = "a time" if name == "opened_at" else "a decimal number"
        row = _first(frame, pl.col(name).is_null())
        if row is not None:
            value = table[column][row]
            found = "an empty cell" if value is None else repr(value)
            _refuse_row(path, row, column, f"must be {what}, not {found}; correct it or remove the row")
    _check_rules(path, series, frame, time_name)
    ordered = frame.unique(subset=["opened_at", *NUMBERS], keep="first", maintain_order=True)
    row = _first(ordered, pl.col("opened_at").is_duplicated())
    if row is not None:
        opened_at = ordered["opened_at"][row]
        second = [at for at, time in enumerate(frame["opened_at"]) if time == opened_at][-1]
        _refuse_row(path, second, time_name, "has the time of another row but other numbers; remove one of them")
    return ordered.sort("opened_at")


def _check_rules(path: Path, series: Series, frame: "pl.DataFrame", time_name: str) -> None:
    import polars as pl

    duration = duration_us(series.timeframe)
    offset = floor_time(0, series.timeframe) % duration
    is_off_grid = (pl.col("opened_at") - offset) % duration != 0
    rules = (
        (
            time_name,
            is_off_grid,
            f"must be the start of a {series.timeframe} candle; give the right timeframe or correct it",
        ),
        ("low", pl.col("low") <= 0, "must be above 0; correct it or remove the row"),
        ("low", pl.col("low") > pl.min_horizontal("open", "close"), "must not be above open or close; correct the row"),
        (
            "high",
            pl.col("high") < pl.max_horizontal("open", "close"),
            "must not be below open or close; correct the row",
        ),
        ("volume", pl.col("volume") < 0, "must not be negative; correct it or remove the row"),
    )
    for column, is_wrong, sentence in rules:
        row = _first(frame, is_wrong)
        if row is not None:
            _refuse_row(path, row, column, sentence)


def _time(table: "pl.DataFrame", name: str) -> "pl.Expr":
    """µs since the epoch; a time without a zone is UTC, and what is no time becomes null."""
    import polars as pl

    column = pl.col(name)
    kind = table.schema[name]
    if isinstance(kind, pl.Datetime):
        return column.dt.epoch("us")
    if kind == pl.Date:
        return column.cast(pl.Datetime("us")).dt.epoch("us")
    text = column.cast(pl.String)
    number = text.cast(pl.Int64, strict=False)
    # The unit of a bare number is told by its size, for every year from 1973 to 5138.
    whole = (
        pl.when(number >= 10**17)
        .then(number // 1_000)
        .when(number >= 10**14)
        .then(number)
        .when(number >= 10**11)
        .then(number * 1_000)
        .when(number >= 10**8)
        .then(number * 1_000_000)
    )
    iso = text.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).dt.epoch("us")
    return pl.coalesce(whole, iso) if kind == pl.String else whole


def _first(frame: "pl.DataFrame", is_wrong: "pl.Expr") -> int | None:
    rows = frame.select(is_wrong.arg_true()).to_series()
    return int(rows[0]) if len(rows) else None


def _refuse(path: Path, sentence: str) -> NoReturn:
    raise Invalid(f"{path.name}: {sentence}. Nothing was imported.", code="market.file_invalid")


def _refuse_row(path: Path, row: int, column: str, sentence: str) -> NoReturn:
    _refuse(path, f"row {row + 1}, column {column} {sentence}")
