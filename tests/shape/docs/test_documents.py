"""A document that names a command, a path or a page tells the truth."""

import re
from pathlib import Path

import pytest

from tests.shape.docs.reading import (
    ROOT,
    blocks,
    commands,
    documents,
    exists,
    links,
    names_of_options,
    objection,
    paths,
    rows,
    spans,
    verbs,
)
from tidegate.app.cli.bot_file import read_bot_file
from tidegate.app.loading import spec_of

DECISION = re.compile(r"\A# (\d{4}) \S.*\n\n(\d{4}-\d\d-\d\d) · (accepted|replaced by \[\d{4}\]\(.+\))\n")
# The left column of names.md holds what is not ours; test_names.py looks at the right one.
WITH_PATHS = [document for document in documents() if document.name != "names.md"]
named = pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())


@named
def test_every_command_that_is_shown_can_be_typed(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert [f"{command}: {why}" for command in commands(text) if (why := objection(command))] == []


@pytest.mark.parametrize("document", WITH_PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_that_is_named_exists(document: Path) -> None:
    assert [path for path in paths(document.read_text(encoding="utf-8")) if not exists(path)] == []


@named
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert [link for link in links(text) if not (document.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("make runn", "make has no target runn"),
        ("make run SPEED=3", "make has no target SPEED=3"),
        ("tidegate fly", "tidegate has no verb fly"),
        ("tidegate bots fly BOT", "tidegate has no verb fly"),
        ("tidegate up --fast", "up has no option --fast"),
        ("TIDEGATE_SPED=3 tidegate up", "TIDEGATE_SPED is not a setting"),
        ("docker compose logs kafka", "compose has none of the services in kafka"),
        ("docker compose run --rm smoke fly", "tidegate has no verb fly"),
        ("cp deploy/missing.env here", "deploy/missing.env does not exist"),
        ("python setup.py", "python is neither a make target nor a verb of tidegate"),
    ],
)
def test_a_command_that_nobody_could_type_is_caught(command: str, why: str) -> None:
    assert commands(f"```sh\n{command}\n```\n") == [command]
    assert objection(command) == why


def test_a_path_and_a_link_to_nothing_are_caught() -> None:
    text = "See `app/missing.py`, `tidegate/kit/clock.py` and [this](docs/missing.md#place)."
    assert [path for path in paths(text) if not exists(path)] == ["app/missing.py"]
    assert links(text) == ["docs/missing.md"]


def test_the_command_line_document_has_every_verb_and_no_other_option() -> None:
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z-]+", " ".join(spans(text))))
    assert [verb for verb in verbs() if not words.issuperset(verb.split())] == []
    known = {option for command in verbs().values() for option in names_of_options(command)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - known == set()


@pytest.mark.parametrize("name", ["README.md", "docs/cli.md"])
def test_a_bot_file_that_is_shown_is_one(name: str, tmp_path: Path) -> None:
    shown = blocks((ROOT / name).read_text(encoding="utf-8"), "yaml")
    assert shown
    for block in shown:
        (tmp_path / "bots.yaml").write_text(block)
        for bot in read_bot_file(tmp_path / "bots.yaml"):
            spec_of(bot.config)


def test_decisions_are_numbered_without_a_gap_and_dated() -> None:
    pages = sorted((ROOT / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04d}" for number in range(1, len(pages) + 1)]
    for page in pages:
        head = DECISION.match(page.read_text(encoding="utf-8"))
        assert head is not None, f"{page.name} does not begin with its number, title, date and state"
        assert head[1] == page.name[:4]


def test_every_core_dependency_has_its_reason() -> None:
    listed = (ROOT / "requirements.in").read_text(encoding="utf-8")
    needed = set(re.findall(r"^[a-z][a-z0-9-]*", listed, re.M))
    text = (ROOT / "decisions/0001-core-dependencies.md").read_text(encoding="utf-8")
    assert {cells[0]: cells[1] for cells in rows(text) if not cells[1]} == {}
    assert {cells[0] for cells in rows(text)} == needed


def test_the_picture_of_the_page_is_small_enough_to_be_looked_at() -> None:
    picture = (ROOT / "docs/images/page.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= 300_000
