"""Candle files of others: what is read from them, and the sentence for what is wrong with them."""

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tests.unit.market.stage import BTC, MINUTE
from tidegate.domain.errors import Invalid
from tidegate.market.archive import candles_of
from tidegate.market.imports import read_candle_file
from tidegate.market.model import Series

HEAD = "date,open,high,low,close,volume\n"
ROWS = ["1546300800000,10,12,9,11,1.5", "1546300860000,11,13,10,12,0", "1546300920000,12,12,12,12,0.00000001"]


def csv_file(folder: Path, *rows: str, name: str = "BTCUSDT-1m.csv", head: str = HEAD) -> Path:
    path = folder / name
    path.write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_a_csv_file_gives_its_numbers_exactly(tmp_path: Path) -> None:
    file = read_candle_file(csv_file(tmp_path, *ROWS))
    bars = candles_of(file.frame, file.series)
    assert file.series == Series(BTC, "1m")
    assert [bar.opened_at for bar in bars] == [1_546_300_800_000_000 + number * MINUTE for number in range(3)]
    assert [bar.volume for bar in bars] == [Decimal("1.5"), Decimal(0), Decimal("0.00000001")]
    assert {bar.source.value for bar in bars} == {"file"}


@pytest.mark.parametrize(
    "time",
    ["2019-01-01T00:00:00Z", "2019-01-01 00:00:00", "2019-01-01 00:00:00.000000", "1546300800", "1546300800000000000"],
)
def test_a_time_may_be_written_in_every_usual_way(tmp_path: Path, time: str) -> None:
    file = read_candle_file(csv_file(tmp_path, f"{time},10,12,9,11,1"))
    assert file.frame["opened_at"].to_list() == [1_546_300_800_000_000]


@pytest.mark.parametrize("kind", ["feather", "parquet"])
def test_feather_and_parquet_give_the_shortest_decimal_of_each_float(tmp_path: Path, kind: str) -> None:
    times = [datetime(2024, 1, 1, 0, minute, tzinfo=UTC) for minute in (1, 0)]
    prices = {name: [0.1, 67745.75] for name in ("open", "high", "low", "close")}
    table = pl.DataFrame({"date": times, **prices, "volume": [1e-7, 26.98425]})
    path = tmp_path / f"ETH_USDT-1m.{kind}"
    (table.write_ipc if kind == "feather" else table.write_parquet)(path)
    file = read_candle_file(path)
    bars = candles_of(file.frame, file.series)
    assert file.series.symbol == "ETH/USDT"
    assert [(bar.open, bar.volume) for bar in bars] == [
        (Decimal("67745.75"), Decimal("26.98425")),
        (Decimal("0.1"), Decimal("0.0000001")),
    ]


def test_a_compressed_csv_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-2019.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "\n".join(ROWS)).encode()))
    assert len(read_candle_file(path).frame) == 3


def test_symbol_and_timeframe_may_be_given_where_the_name_does_not_tell(tmp_path: Path) -> None:
    file = read_candle_file(csv_file(tmp_path, *ROWS, name="mine.csv"), symbol="BTC-USDT", timeframe="1m")
    assert file.series == Series(BTC, "1m")


def test_a_row_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    assert len(read_candle_file(csv_file(tmp_path, ROWS[1], *ROWS)).frame) == 3


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([ROWS[0], "soon,10,12,9,11,1"], "row 2, column date must be a time, not 'soon'"),
        ([*ROWS, "1546300980000,10,12,9,oops,1"], "row 4, column close must be a decimal number, not 'oops'"),
        (["1546300800000,10,12,9,,1"], "row 1, column close must be a decimal number, not an empty cell"),
        (["1546300800000,NaN,12,9,10,1"], "row 1, column open must be a decimal number, not 'NaN'"),
        (["1546300800001,10,12,9,11,1"], "row 1, column date must be the start of a 1m candle"),
        (["1546300800000,10,9,9,10,1"], "row 1, column high must not be below open or close"),
        (["1546300800000,10,12,11,10,1"], "row 1, column low must not be above open or close"),
        (["1546300800000,10,12,0,10,1"], "row 1, column low must be above 0"),
        (["1546300800000,10,12,9,10,-1"], "row 1, column volume must not be negative"),
        ([*ROWS, "1546300860000,11,13,10,11,0"], "row 4, column date has the time of another row but other numbers"),
        ([], "it has no rows"),
    ],
)
def test_a_wrong_row_is_named_with_its_column_and_a_fix(tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_candle_file(csv_file(tmp_path, *rows))
    assert str(caught.value).startswith(f"BTCUSDT-1m.csv: {sentence}")
    assert str(caught.value).endswith("Nothing was imported.")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"column volume is missing \(there are date, open, high, low, close\)"):
        read_candle_file(csv_file(tmp_path, "1546300800000,1,1,1,1", head="date,open,high,low,close\n"))


@pytest.mark.parametrize("name", ["BTCUSDT-1m.feather", "BTCUSDT-1m.parquet", "BTCUSDT-1m.csv.gz"])
@pytest.mark.parametrize("content", [b"", b"this is no such file", b"ARROW1\0\0 cut off", b"PAR1 cut off PAR1"])
def test_a_corrupt_file_is_refused_in_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Invalid) as caught:
        read_candle_file(path)
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["feather", "parquet", "csv.gz"])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / "whole"
    table = pl.DataFrame(
        {"date": range(0, 60_000_000_000, 60_000), **dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)}
    ).with_columns(pl.col("date") + 1_546_300_800_000)
    match kind:
        case "feather":
            table.write_ipc(whole)
        case "parquet":
            table.write_parquet(whole)
        case _:
            whole.write_bytes(gzip.compress(table.write_csv().encode()))
    path = tmp_path / f"BTCUSDT-1m.{kind}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(Invalid, match=rf"BTCUSDT-1m\.{kind}: .*Nothing was imported"):
        read_candle_file(path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("candles.csv", "the name does not tell the timeframe"),
        ("BTCUSDT-1m.xlsx", "the name must end in .feather, .parquet, .csv or .csv.gz"),
        ("XYZ-1m.csv", "symbol 'XYZ' ends in no quote asset that is known"),
    ],
)
def test_a_name_that_does_not_tell_enough_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        read_candle_file(csv_file(tmp_path, *ROWS, name=name))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"BTCUSDT-1m\.csv: there is no such file; correct the path"):
        read_candle_file(tmp_path / "BTCUSDT-1m.csv")
