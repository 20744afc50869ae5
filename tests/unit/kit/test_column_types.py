from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Dialect, MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.kit.db import Exact, Minor, Unstorable

SQLITE: Dialect = sqlite.dialect()
POSTGRES: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
table = Table("toy", MetaData(), Column("price", Exact))

storable = st.decimals(min_value=-(10**19), max_value=10**19, places=18, allow_nan=False)


@given(storable)
def test_what_goes_in_comes_out_equal_on_both_databases(value: Decimal) -> None:
    for dialect in (SQLITE, POSTGRES):
        stored = Exact().process_bind_param(value, dialect)
        assert Exact().process_result_value(stored, dialect) == value


@given(storable)
def test_equal_numbers_are_stored_as_equal_texts(value: Decimal) -> None:
    padded = Decimal(f"{value:f}000")  # 18 decimals and three zeros more
    assert Exact().process_bind_param(padded, SQLITE) == Exact().process_bind_param(value, SQLITE)


def test_sql_may_not_sort_compare_or_add_exact_columns() -> None:
    for wrong in (lambda: table.c.price > 1, lambda: table.c.price + 1, table.c.price.desc):
        with pytest.raises(TypeError, match=r"toy\.price; do it in Python"):
            wrong()
    assert str(table.c.price == Decimal(1)) == "toy.price = :price_1"


@pytest.mark.parametrize("value", [1.0, True, "1"])
def test_minor_units_are_whole_numbers(value: object) -> None:
    with pytest.raises(Unstorable, match="needs a whole number of minor units"):
        Minor().process_bind_param(value, SQLITE)
