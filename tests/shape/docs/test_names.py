"""The words of the glossary are the words of the code, and docs/names.md leads to rooms that exist."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import get_args, get_type_hints

import msgspec
import pytest

import tidegate.domain
from tests.shape.docs.reading import ROOT, exists, rows
from tidegate.app.roles import ROLES
from tidegate.domain.money import Money
from tidegate.kit.db import metadata

LATER = "*later*"
SAY_NOTHING = {"amount", "data", "helper", "helpers", "info", "manager", "pair", "size", "util", "utils"}
FIXED_WORDS = {"tick_size", "lot_size"}  # the field's own; nothing else may be a size
TERM = re.compile(r"^`([a-z_]+)`")


def terms() -> dict[str, str]:
    """Every term of the glossary with its meaning."""
    text = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    return {found[1]: " ".join(cells) for cells in rows(text) if (found := TERM.match(cells[0]))}


def domain_modules() -> list[ModuleType]:
    prefix = f"{tidegate.domain.__name__}."
    return [importlib.import_module(prefix + found.name) for found in pkgutil.iter_modules(tidegate.domain.__path__)]


def fields_of(module: ModuleType) -> Iterator[tuple[str, str, object]]:
    """Class, name and type of every field that a module of the domain declares."""
    for name, kind in inspect.getmembers(module, inspect.isclass):
        is_record = dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct)
        if kind.__module__ == module.__name__ and is_record:
            for field, type_ in get_type_hints(kind).items():
                yield name, field, type_


def is_quantity_of_something(type_: object) -> bool:
    return type_ in (Decimal, Money) or bool({Decimal, Money} & set(get_args(type_)))


def says_nothing(name: str) -> bool:
    return name not in FIXED_WORDS and not SAY_NOTHING.isdisjoint(name.split("_"))


def test_every_number_of_the_domain_is_a_term_of_the_glossary() -> None:
    known = terms()
    unknown = {
        f"{name}.{field}"
        for module in domain_modules()
        for name, field, type_ in fields_of(module)
        if is_quantity_of_something(type_) and field not in known
    }
    assert unknown == set()


def test_no_field_and_no_module_has_a_name_that_says_nothing() -> None:
    fields = [
        f"{name}.{field}" for module in domain_modules() for name, field, _ in fields_of(module) if says_nothing(field)
    ]
    files = [path.as_posix() for path in (ROOT / "tidegate").rglob("*.py") if says_nothing(path.stem)]
    assert fields + files == []


@pytest.mark.parametrize("name", ["order_size", "pair", "amount", "risk_manager", "account_info", "data"])
def test_a_name_that_says_nothing_is_caught(name: str) -> None:
    assert says_nothing(name)
    assert not says_nothing("tick_size")


def test_every_term_is_used_or_marked_later() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tidegate").rglob("*.py")))
    words = set(re.findall(r"[A-Za-z_]+", code)) | {word.lower() for word in re.findall(r"[A-Z][a-z]+", code)}
    used = {term: term in words for term in terms()}
    assert [term for term, meaning in terms().items() if not used[term] and LATER not in meaning] == []
    assert [term for term, meaning in terms().items() if used[term] and LATER in meaning] == []


def tables() -> set[str]:
    for path in sorted((ROOT / "tidegate").rglob("tables.py")):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return set(metadata.tables)


def resolves(place: str, known: set[str]) -> bool:
    """Whether a right-hand side is a file of ours, a table or a role."""
    return place in known or (bool(Path(place).suffix) and exists(place))


def test_every_name_of_the_descriptions_leads_to_a_room_that_exists() -> None:
    known = tables() | set(ROLES)
    lost, empty = [], []
    for described, here in rows((ROOT / "docs/names.md").read_text(encoding="utf-8")):
        places = re.findall(r"`([^`]+)`", here)
        lost += [f"{described}: {place}" for place in places if not resolves(place, known)]
        if not places and LATER not in here:
            empty.append(described)
    assert (lost, empty) == ([], [])


@pytest.mark.parametrize("place", ["app/missing.py", "bots_missing", "beat", "app"])
def test_a_room_that_does_not_exist_is_caught(place: str) -> None:
    assert not resolves(place, tables() | set(ROLES))
