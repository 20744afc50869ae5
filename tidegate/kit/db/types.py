"""Column types for exact numbers and documents: what goes in comes out, on SQLite, PostgreSQL and in memory."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import BigInteger, Dialect, Numeric, String, Text
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator, TypeEngine

from tidegate.domain.errors import Invalid

_FRACTION_DIGITS_MAX = 18
_WHOLE_DIGITS_MAX = 20
_MINOR_END = 10**38
_INT64_END = 2**63
_UNORDERED = {operators.eq, operators.ne, operators.is_, operators.is_not, operators.in_op, operators.not_in_op}


class Unstorable(Invalid, DontWrapMixin):
    """A value that its column cannot hold exactly; nothing of its transaction is written."""

    code = "db.value_refused"


class Exact(TypeDecorator[Decimal]):
    """A price or quantity: NUMERIC(38,18) on PostgreSQL, exact text on SQLite, `Decimal` in Python.

    Text sorts as text, so SQL may test such a column for equality and nothing else; sort and add in Python, or keep
    an integer beside it.
    """

    impl = Numeric
    cache_ok = True

    class Comparator(TypeDecorator.Comparator[Decimal]):
        """Refuses what SQLite would answer wrongly."""

        def operate(self, op: operators.OperatorType, *other: Any, **options: Any) -> Any:
            if op not in _UNORDERED:
                raise TypeError(f"SQL may not order or calculate the exact column {self.expr}; do it in Python.")
            return super().operate(op, *other, **options)

    comparator_factory = Comparator

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        numeric = Numeric(_WHOLE_DIGITS_MAX + _FRACTION_DIGITS_MAX, _FRACTION_DIGITS_MAX)
        return dialect.type_descriptor(String(64) if dialect.name == "sqlite" else numeric)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Decimal | str | None:
        if value is None:
            return None
        text = _exact_text(value)
        return text if dialect.name == "sqlite" else cast(Decimal, value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        # PostgreSQL pads to 18 decimals: the same number must read the same everywhere.
        return Decimal(value if isinstance(value, str) else _exact_text(value))


class Minor(TypeDecorator[int]):
    """Whole minor units of an asset: NUMERIC(38,0) on PostgreSQL, int64 on SQLite, which refuses more by name."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else Numeric(38, 0))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Decimal | int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unstorable(f"needs a whole number of minor units, not {value!r}.")
        end = _INT64_END if dialect.name == "sqlite" else _MINOR_END
        if not -end < value < end:
            raise Unstorable(f"cannot hold {value}: at most {end - 1} fits; give the asset a smaller scale.")
        return Decimal(value) if dialect.name == "postgresql" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class Document(TypeDecorator[str]):
    """JSON text as `domain.messages.to_json` wrote it, byte for byte; text in Python."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else value.decode() if isinstance(value, bytes) else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else str(value)


Converter = Callable[[Any], Any]
_OURS = (Exact, Minor, Document)


def binder(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    """How a Python value (not None) becomes the driver's, or None where it already is."""
    if isinstance(kind, _OURS):
        return lambda value: kind.process_bind_param(value, dialect)
    return kind.dialect_impl(dialect).bind_processor(dialect)


def reader(kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    """How the driver's value (not None) becomes Python's, or None where it already is."""
    if isinstance(kind, _OURS):
        return lambda value: kind.process_result_value(value, dialect)
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _exact_text(value: object) -> str:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise Unstorable(f"needs a finite Decimal, not {value!r}.")
    whole, _, fraction = format(value, "f").partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > _FRACTION_DIGITS_MAX or len(whole.lstrip("-")) > _WHOLE_DIGITS_MAX:
        raise Unstorable(
            f"cannot hold {value}: at most {_WHOLE_DIGITS_MAX} digits before the point"
            f" and {_FRACTION_DIGITS_MAX} behind it fit."
        )
    if fraction:
        return f"{whole}.{fraction}"
    return "0" if whole == "-0" else whole
