"""What a document says: its commands, its paths, its links and the rows of its tables."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import typer
import yaml
from typer.core import TyperCommand, TyperGroup

from tidegate.app.cli.program import program
from tidegate.app.settings import known_names

ROOT = Path(__file__).parents[3]
FOLDERS_OF_DOCUMENTS = ("", "docs", "decisions")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SUFFIXES = (".py", ".md", ".toml", ".yaml", ".sh", ".lock", ".png", ".html", ".env", ".example")
_TOP = ("tidegate/", "tests/", "docs/", "decisions/", "deploy/", "benchmarks/", "migrations/")
_ASSIGNMENT = re.compile(r"^([A-Z_]+)=")
_PLACEHOLDER = re.compile(r"^[A-Z][A-Z_.]*$")
_OF_THE_SYSTEM = ("git", "cd", "openssl")
Command = TyperCommand | TyperGroup


def documents() -> list[Path]:
    """Every document for people."""
    return sorted(path for folder in FOLDERS_OF_DOCUMENTS for path in (ROOT / folder).glob("*.md"))


def commands(text: str) -> list[str]:
    """Every line of a shell block; in a plain block or between backticks, what begins with `make` or `tidegate`."""
    found: list[str] = []
    for kind, block in _FENCE.findall(text):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        listed = [re.split(r"\s{2,}", line)[0] for line in lines if line.startswith(("make ", "tidegate "))]
        found += lines if kind == "sh" else listed if not kind else []
    return found + [span for span in spans(text) if span.startswith(("make ", "tidegate "))]


def blocks(text: str, kind: str) -> list[str]:
    """The blocks of one language."""
    return [block for language, block in _FENCE.findall(text) if language == kind]


def spans(text: str) -> list[str]:
    """Everything between single backticks outside of blocks."""
    return _SPAN.findall(_FENCE.sub("", text))


def paths(text: str) -> list[str]:
    """What is written like a path of the repository; `<noun>` stands for many and is left out."""
    return [
        span
        for span in spans(text)
        if "/" in span
        and not re.search(r"[<>\s]|://|^[/.]", span)
        and (span.startswith(_TOP) or span.endswith(_SUFFIXES))
    ]


def links(text: str) -> list[str]:
    """Where links lead, without those to other sites and without the place inside a page."""
    return [link.partition("#")[0] for link in _LINK.findall(_FENCE.sub("", text)) if "://" not in link]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row, without head and rule."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        follows_head = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("|") and not line.startswith("|---") and not follows_head:
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def exists(path: str) -> bool:
    """Whether the repository has it, from its top or below tidegate/; `*` stands for anything."""
    return any(any(folder.glob(path.rstrip("/"))) for folder in (ROOT, ROOT / "tidegate"))


def objection(command: str) -> str | None:
    """Why a reader could not type this command, or None."""
    words = shlex.split(command, comments=True)
    while words and (assigned := _ASSIGNMENT.match(words[0])):
        if assigned[1] not in known_names():
            return f"{assigned[1]} is not a setting"
        del words[0]
    match words:
        case []:
            return None
        case ["make", *targets]:
            return next((f"make has no target {name}" for name in targets if _is_no_target(name)), None)
        case ["tidegate" | ".venv/bin/tidegate", *rest]:
            return verb_objection(rest)
        case ["docker", "compose", *rest]:
            return _compose_objection(rest)
        case ["cp", source, _]:
            return None if (ROOT / source).exists() else f"{source} does not exist"
        case [name, *_] if name in _OF_THE_SYSTEM:
            return None
        case _:
            return f"{words[0]} is neither a make target nor a verb of tidegate"


def verb_objection(words: list[str]) -> str | None:
    """Why `tidegate WORDS` is no command, or None; words in capitals stand for a value."""
    command = whole_program()
    for word in words:
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in names_of_options(command):
                return f"{command.name} has no option {word}"
        elif isinstance(command, TyperGroup) and not _PLACEHOLDER.match(word):
            if word not in command.commands:
                if command.invoke_without_command:
                    continue
                return f"tidegate has no verb {word}"
            command = _known(command.commands[word])
    return None


def names_of_options(command: Command) -> set[str]:
    """`--json`, `-f` and so on."""
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


def verbs() -> dict[str, Command]:
    """Every verb by its words, such as `bots apply`; a group that does something by itself counts too."""
    found: dict[str, Command] = {}

    def walk(command: Command, words: tuple[str, ...]) -> None:
        if words and (not isinstance(command, TyperGroup) or command.invoke_without_command):
            found[" ".join(words)] = command
        if isinstance(command, TyperGroup):
            for name, inner in command.commands.items():
                walk(_known(inner), (*words, name))

    walk(whole_program(), ())
    return found


def whole_program() -> Command:
    """The command line as its parser sees it."""
    return _known(typer.main.get_command(program))


def _known(command: object) -> Command:
    assert isinstance(command, TyperCommand | TyperGroup)
    return command


def _is_no_target(word: str) -> bool:
    if "=" in word:
        return word.partition("=")[0] not in ("ARGS", "URL", "PYTHON")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return re.search(rf"^{re.escape(word)}:.*## ", makefile, re.M) is None


def _compose_objection(words: list[str]) -> str | None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    verb, *rest = words
    named = [place for place, word in enumerate(rest) if word in services]
    if verb == "up":
        return None
    if not named:
        return f"compose has none of the services in {' '.join(rest)}"
    return verb_objection(rest[named[0] + 1 :]) if verb == "run" else None
