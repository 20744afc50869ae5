"""Typed parameters with ranges: one declaration is type, default, range, document and check."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar, cast, get_type_hints

from tidegate.domain.errors import Invalid

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """What stands beside the type in `Annotated`: a document, and for numbers the range that is allowed."""

    doc: str
    low: float = 0
    high: float = 0


class Parameters(Protocol):
    """A frozen dataclass whose fields are `Annotated` with a `Parameter` and have a default."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


P = TypeVar("P", bound=Parameters)


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter as pages and files see it; `low` and `high` are allowed values themselves."""

    name: str
    kind: str  # integer, number, flag or choice
    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """What is allowed, as the end of a sentence."""
        if self.kind == "flag":
            return "true or false"
        if self.kind == "choice":
            return f"one of {', '.join(self.choices)}"
        noun = "a whole number" if self.kind == "integer" else "a number"
        return f"{noun} from {self.low:g} to {self.high:g}"


@cache
def specs_of(kind: type[Parameters]) -> tuple[ParameterSpec, ...]:
    """The parameters in the order of their declaration."""
    declared = get_type_hints(kind, include_extras=True)
    return tuple(_spec(name, default, declared[name].__metadata__[0]) for name, default in _defaults(kind))


def checked(kind: type[P], given: Mapping[str, object], owner: str) -> P:
    """The parameters with defaults for what is not given; `Invalid` names the field of `owner` and its range."""
    specs = {spec.name: spec for spec in specs_of(kind)}
    unknown = next((name for name in given if name not in specs), None)
    if unknown is not None:
        raise Invalid(
            f"{owner} has no parameter {unknown!r}; it has {', '.join(specs)}.",
            code="strategies.parameter_unknown",
        )
    values = {name: _value(specs[name], value, owner) for name, value in given.items()}
    return kind(**{name: type(default)(values[name]) for name, default in _defaults(kind) if name in values})


def values_of(parameters: Parameters) -> dict[str, Value]:
    """Every parameter in order of name, choices as plain text; `checked` makes the same parameters of it again."""
    names = sorted(spec.name for spec in specs_of(type(parameters)))
    values = {name: getattr(parameters, name) for name in names}
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in values.items()}


def text_of(parameters: Parameters) -> str:
    """`fast=12,slow=26,...`: the same text for the same behaviour, whatever was left to its default."""
    return ",".join(f"{name}={_plain(value)}" for name, value in values_of(parameters).items())


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value == float(f"{value:g}") else str(value)


def _defaults(kind: type[Parameters]) -> list[tuple[str, Any]]:
    return [(one.name, one.default) for one in fields(cast(type[Any], kind))]


def _spec(name: str, default: Value, declared: Parameter) -> ParameterSpec:
    if isinstance(default, bool):
        return ParameterSpec(name, "flag", default, declared.doc)
    if isinstance(default, StrEnum):
        choices = tuple(choice.value for choice in type(default))
        return ParameterSpec(name, "choice", default.value, declared.doc, choices=choices)
    kind = "integer" if isinstance(default, int) else "number"
    return ParameterSpec(name, kind, default, declared.doc, declared.low, declared.high)


def _value(spec: ParameterSpec, value: object, owner: str) -> Value:
    if spec.kind == "flag":
        fits = isinstance(value, bool)
    elif spec.kind == "choice":
        fits = isinstance(value, str) and value in spec.choices
    else:
        wanted = (int,) if spec.kind == "integer" else (int, float)
        is_number = isinstance(value, wanted) and not isinstance(value, bool)
        fits = is_number and _is_within(cast(float, value), spec)
    if not fits:
        shown = str(value) if isinstance(value, int | float) else repr(value)
        raise Invalid(f"{spec.name} of {owner} must be {spec.rule}, not {shown}.", code="strategies.parameter_invalid")
    return cast(Value, value)


def _is_within(value: float, spec: ParameterSpec) -> bool:
    low, high = spec.low, spec.high
    return math.isfinite(value) and low is not None and high is not None and low <= value <= high
