"""compose.yaml and the Dockerfile fit the program: its verbs, its settings and its files."""

import re
from typing import Any

import pytest
import yaml

from tests.shape.docs.reading import ROOT, verb_objection
from tidegate.app.roles import ROLES
from tidegate.app.settings import known_names

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == COMPOSE["x-tidegate"]["image"]}
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|DATABASE_URL")
CONDITIONS = {"service_healthy", "service_completed_successfully"}


def example_of(env_file: str) -> dict[str, str]:
    """Names and values of the example beside an env file."""
    lines = (ROOT / f"{env_file}.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_role_is_a_service() -> None:
    started = {service["command"][0] for service in OURS.values()}
    assert started >= {*ROLES, "simulator", "db"}


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_service_is_a_verb_with_its_options(name: str) -> None:
    assert verb_objection(OURS[name]["command"]) is None


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_service_is_a_setting(name: str) -> None:
    given = {**OURS[name]["environment"], **example_of(OURS[name]["env_file"])}
    assert set(given) - set(known_names()) == set()


def test_together_they_have_every_secret_that_separate_processes_need() -> None:
    given = {**COMPOSE["x-tidegate"]["environment"], **example_of(COMPOSE["x-tidegate"]["env_file"])}
    secrets = {"SECRET_KEY", "CREDENTIALS_MASTER_KEY"} | {
        name for name in known_names() if name.startswith("TIDEGATE_SIMULATOR_")
    }
    assert set(given) >= secrets | {"TIDEGATE_DATABASE_URL", "TIDEGATE_REDIS_URL"}


def test_no_secret_stands_in_a_file_of_the_repository() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8") + (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"^\s+([A-Z_]+)[:=]", text, re.M) if SECRET.search(name)] == []
    for env_file in {service["env_file"] for service in SERVICES.values() if "env_file" in service}:
        example = example_of(env_file)
        assert [name for name, value in example.items() if SECRET.search(name) and value] == []
    assert "*.env" in (ROOT / "deploy/.gitignore").read_text(encoding="utf-8").splitlines()


def test_a_service_waits_only_for_what_can_tell_that_it_is_ready() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] in CONDITIONS, f"{name} waits for {needed} in an unknown way"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed], f"{name} waits for {needed}, which has no health check"


def test_every_volume_is_declared() -> None:
    named = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert named == set(COMPOSE["volumes"])


def test_the_image_holds_the_locked_program_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [path for line in lines if line.startswith("COPY ") for path in line.split()[1:-1]]
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [path for path in copied if not (ROOT / path).exists() or f"!{path}" not in kept] == []
    assert {"tidegate", "migrations", "requirements.lock", "requirements-uv.lock"} <= set(copied)
    assert "USER tidegate" in lines
    assert set(re.findall(r"(TIDEGATE_\w+)=", "\n".join(lines))) <= set(known_names())
