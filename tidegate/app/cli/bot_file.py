"""Bots as a file, for who wants no page:

- name: btc-cross
  symbol: BTC/USDT
  timeframe: 1m
  strategy: ema_cross
  parameters: {fast: 12, slow: 26}
  sizing: {kind: percent, value: 10}
  stop_loss_pct: 2
  take_profit_pct: 4
  state: running
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from tidegate.bots.model import BotConfig, BotState, EntryKind
from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import parse_symbol
from tidegate.domain.money import plain
from tidegate.strategies.sizing import SizingKind, SizingRule

_CONFIG = tuple(one.name for one in fields(BotConfig))
_SIZING = tuple(one.name for one in fields(SizingRule))
_STATES = (BotState.RUNNING, BotState.STOPPED)
_CHOICES: dict[str, type[StrEnum]] = {"entry": EntryKind, "sizing.kind": SizingKind}


@dataclass(frozen=True, slots=True)
class WantedBot:
    """One entry of a file."""

    config: BotConfig
    state: BotState  # running or stopped


def read_bot_file(path: Path) -> list[WantedBot]:
    """Every bot of the file; `Invalid` names the file, the bot, the field and what it may be."""
    import yaml

    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", code="cli.file_unreadable") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else "it"
        reason = getattr(error, "problem", None) or "is no text"
        raise Invalid(f"{path} is no YAML: {line} {reason}.", code="cli.file_invalid") from None
    if isinstance(listed, dict) and list(listed) == ["bots"]:
        listed = listed["bots"]
    if not isinstance(listed, list):
        _refuse(str(path), "must be a list of bots, each beginning with `- name:`")
    bots = [_bot(f"{path}: bot {number}", entry) for number, entry in enumerate(listed, start=1)]
    names = [bot.config.name for bot in bots]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        _refuse(str(path), f"has two bots named {twice!r}; a name is used once")
    return bots


def bot_of(shown: Mapping[str, Any]) -> BotConfig:
    """The configuration of a bot as the API shows it."""
    return msgspec.convert({name: shown[name] for name in _CONFIG}, BotConfig)


def body_of(config: BotConfig) -> dict[str, object]:
    """The configuration as the API takes it."""
    given: dict[str, object] = msgspec.to_builtins(config)
    sizing = config.sizing
    exact = {"kind": sizing.kind, "value": plain(sizing.value), "notional_max": plain(sizing.notional_max)}
    return given | {
        "sizing": exact,
        "stop_loss_pct": None if config.stop_loss_pct is None else plain(config.stop_loss_pct),
        "take_profit_pct": None if config.take_profit_pct is None else plain(config.take_profit_pct),
    }


def _bot(place: str, entry: object) -> WantedBot:
    if not isinstance(entry, dict):
        _refuse(place, "must be fields such as `name: btc-cross`")
    if isinstance(entry.get("name"), str):
        place = f"{place} ({entry['name']})"
    _check_names(place, entry, (*_CONFIG, "state"))
    if isinstance(entry.get("sizing"), dict):
        _check_names(f"{place}: sizing", entry["sizing"], _SIZING)
    state = entry.get("state", BotState.RUNNING)
    if state not in _STATES:
        _refuse(place, f"state must be one of {', '.join(_STATES)}, not {state!r}")
    given = {name: value for name, value in entry.items() if name != "state"}
    try:
        if isinstance(given.get("symbol"), str):
            given["symbol"] = parse_symbol(given["symbol"])
        return WantedBot(msgspec.convert(given, BotConfig), BotState(state))
    except msgspec.ValidationError as error:
        _refuse(place, _sentence(str(error)))
    except Invalid as error:
        raise Invalid(f"{place}: {error}", code="cli.file_invalid") from None


def _check_names(place: str, given: Mapping[object, object], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
            _refuse(place, f"{name} is not a field of a bot; did you mean {nearest[0]}")


def _sentence(reason: str) -> str:
    """msgspec's words with the field first."""
    what, _, path = reason.partition(" - at `$.")
    field = path.rstrip("`")
    if field in _CHOICES:
        return f"{field} must be one of {', '.join(_CHOICES[field])}"
    what = what.replace("Object missing", "the").replace("`str`", "text").replace("`", "")
    return f"{field}: {what[0].lower()}{what[1:]}" if field else f"{what} is missing"


def _refuse(place: str, sentence: str) -> NoReturn:
    raise Invalid(f"{place}: {sentence}.", code="cli.file_invalid")
