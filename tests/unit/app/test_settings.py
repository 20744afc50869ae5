"""Settings: every one listed, every mistake a sentence that names it, secrets drawn once and kept to ourselves."""

import os
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tidegate.app.settings import SECRETS_FILE, Settings, known_names, load_settings
from tidegate.domain.errors import Invalid

EXAMPLE = Path(__file__).parents[3] / ".env.example"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without a setting, in an empty folder."""
    for name in os.environ:
        if name.upper() in known_names() or name.upper().startswith("TIDEGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_example_lists_every_setting_and_no_other() -> None:
    assert set(dotenv_values(EXAMPLE)) == set(known_names())


def test_the_example_says_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = load_settings(needs_secrets=False)
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    assert load_settings(needs_secrets=False) == plain


def test_every_listed_name_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"TIDEGATE_DATABASE_URL": "sqlite:///x.db", "TIDEGATE_REDIS_URL": "unix:///x", "DRY_RUN_MODE": "false"}
    odd |= {"TIDEGATE_SIMULATOR_URL": "http://x", "TIDEGATE_SYMBOLS": "XRP-USDT", "TIDEGATE_TIMEFRAMES": "2m"}
    odd |= {"TIDEGATE_BASE_TIMEFRAME": "1s", "TIDEGATE_LOCKSTEP": "true", "TIDEGATE_LOG_LEVEL": "DEBUG"}
    plain = load_settings(needs_secrets=False)
    for name, field in known_names().items():
        with monkeypatch.context() as only:
            only.setenv(name, odd.get(name, "17"))
            outer, _, inner = field.partition(".")
            changed = getattr(load_settings(needs_secrets=False), outer)
            before = getattr(plain, outer)
            assert (getattr(changed, inner) != getattr(before, inner)) if inner else (changed != before), name


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TIDEGATE_PROT", "1", "TIDEGATE_PROT is not a setting of Tidegate; did you mean TIDEGATE_PORT?"),
        ("TIDEGATE_RISK__DAILY_LOSS", "1", "did you mean TIDEGATE_RISK__DAILY_LOSS_MAX?"),
        ("TIDEGATE_PORT", "high", "TIDEGATE_PORT should be a valid integer"),
        ("TIDEGATE_PORT", "70000", "TIDEGATE_PORT should be less than or equal to 65535."),
        ("TIDEGATE_SYMBOLS", "BTC/USDT,ETHUSDT", "TIDEGATE_SYMBOLS has an entry that cannot be used: symbol must look"),
        ("TIDEGATE_TIMEFRAMES", "5x", "TIDEGATE_TIMEFRAMES has an entry that cannot be used: timeframe must be"),
        ("TIDEGATE_BASE_TIMEFRAME", "5m", "TIDEGATE_BASE_TIMEFRAME should be '1s' or '1m'."),
        ("TIDEGATE_DATABASE_URL", "mysql://x", "TIDEGATE_DATABASE_URL must begin with sqlite:/// and a path"),
        ("TIDEGATE_REDIS_URL", "localhost", "TIDEGATE_REDIS_URL must begin with redis://"),
        ("TIDEGATE_RISK__OPEN_ORDERS_MAX", "-1", "TIDEGATE_RISK__OPEN_ORDERS_MAX should be greater than or equal to"),
        ("TIDEGATE_LOG_LEVEL", "LOUD", "TIDEGATE_LOG_LEVEL must be one of DEBUG"),
        ("DRY_RUN_MODE", "perhaps", "DRY_RUN_MODE should be true or false."),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Invalid) as refused:
        load_settings(needs_secrets=False)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TIDEGATE_PORT=9000\nTIDEGATE_HOST=0.0.0.0\nCOMPOSE_PROJECT_NAME=x\n")
    monkeypatch.setenv("TIDEGATE_PORT", "9001")
    settings = load_settings(needs_secrets=False)
    assert (settings.host, settings.port) == ("0.0.0.0", 9001)
    assert load_settings(needs_secrets=False, port=9002).port == 9002


def test_an_unknown_name_in_the_file_stops_the_start_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TIDEGATE_SYMBOL=BTC/USDT\n")
    with pytest.raises(Invalid, match="did you mean TIDEGATE_SYMBOLS"):
        load_settings(needs_secrets=False)


def test_secrets_are_drawn_once_for_the_owner_of_the_folder_alone(tmp_path: Path) -> None:
    first, second = load_settings(), load_settings()
    assert first == second
    assert len(set(first.secret_texts)) == 5
    file = tmp_path / "data" / SECRETS_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [SECRETS_FILE]


def test_a_given_secret_goes_before_the_kept_one(monkeypatch: pytest.MonkeyPatch) -> None:
    load_settings()
    monkeypatch.setenv("SECRET_KEY", "x" * 40)
    assert load_settings().secret_key.get_secret_value() == "x" * 40


def test_with_a_database_server_secrets_must_be_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_DATABASE_URL", "postgresql://db/tidegate")
    with pytest.raises(Invalid, match="SECRET_KEY is not set"):
        load_settings()
    assert not (tmp_path / "data").exists()


def test_damaged_secrets_stop_the_start_and_are_left_as_they_are(tmp_path: Path) -> None:
    load_settings()
    file = tmp_path / "data" / SECRETS_FILE
    file.write_text("{")
    with pytest.raises(Invalid, match=r"secrets\.json is damaged"):
        load_settings()
    assert file.read_text() == "{"


def test_no_secret_shows_in_what_settings_print() -> None:
    settings = load_settings()
    assert not any(secret in repr(settings) for secret in settings.secret_texts)


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(needs_secrets=False).port = 1  # type: ignore[misc]


def test_levels_of_modules_stand_beside_the_level_of_all() -> None:
    settings = Settings(log_level=("warning", "tidegate.market=debug"))
    assert settings.root_log_level == "WARNING"
    assert settings.log_levels == {"tidegate.market": "DEBUG"}


def test_platform_limits_are_those_of_the_risk_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_RISK__ORDER_NOTIONAL_MAX", "250.5")
    limits = load_settings(needs_secrets=False).risk.limits()
    assert (limits.order_notional_max, limits.daily_loss_max) == (Decimal("250.5"), None)
