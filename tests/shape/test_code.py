"""The code keeps its own rules. That each rule bites is shown in test_broken_rules.py."""

import re
from pathlib import Path

from tests.shape.commits import commits_outside_kit_db
from tests.shape.limits import too_long
from tests.shape.tracked import foreign_addresses, lock_addresses, tracked_files

ROOT = Path(__file__).parents[2]
RULE_SWITCHED_OFF = re.compile(r"#\s*(ruff:\s*)?noqa(:[^#]*\b(TID251|BLE001|T20\d|ASYNC\d+)\b|\s*$)")


def test_files_functions_and_classes_stay_short() -> None:
    assert too_long(ROOT) == []


def test_only_kit_db_commits() -> None:
    assert commits_outside_kit_db(ROOT) == []


def test_every_folder_of_code_is_a_package_or_the_import_contracts_would_not_see_it() -> None:
    folders = {path.parent for path in (ROOT / "tidegate").rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_no_product_file_switches_a_rule_off() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "tidegate").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if RULE_SWITCHED_OFF.search(line)
    ]
    assert found == []


def test_lock_files_name_no_index_and_no_address() -> None:
    assert any(path.suffix == ".lock" for path in tracked_files(ROOT))
    assert lock_addresses(ROOT) == []


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    assert foreign_addresses(ROOT) == []
