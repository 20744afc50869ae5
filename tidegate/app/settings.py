"""Every setting of every role, read once from the environment and a `.env` file; the only place that reads either.

An unknown `TIDEGATE_*` name stops the start: a typing error must never leave a limit unset.
"""

import difflib
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from tidegate.domain.candles import duration_us
from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import parse_symbol
from tidegate.risk.model import Limits

PREFIX = "TIDEGATE_"
SECRETS_FILE = "secrets.json"
_NESTED = "__"
_DOTENV = Path(".env")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_REDIS = ("redis://", "rediss://", "unix://")
_KEYS = ("secret_key", "credentials_master_key")
_SIMULATOR_KEYS = ("simulator_key", "simulator_secret", "simulator_control_token")
_KEY_BYTES = 32
T = TypeVar("T")


def _parts(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


TextList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]
"""A comma between the items, as in `BTC/USDT,ETH/USDT`."""


class RiskDefaults(BaseModel):
    """The limits of the platform level (`TIDEGATE_RISK__…`); unset is no limit here, 0 permits nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_notional_max: Decimal | None = Field(None, ge=0)
    position_notional_max: Decimal | None = Field(None, ge=0)
    open_orders_max: int | None = Field(200, ge=0)
    price_collar_bps: Decimal | None = Field(Decimal(1_000), ge=0)
    data_age_ms_max: int | None = Field(120_000, ge=0)
    daily_loss_max: Decimal | None = Field(None, ge=0)

    def limits(self) -> Limits:
        """The same bounds as the risk stage knows them."""
        return Limits(**self.model_dump())


class Settings(BaseSettings):
    """What this process was started with; it never changes afterwards."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter=_NESTED,
        env_ignore_empty=True,
        env_file=_DOTENV,
        extra="ignore",
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    data_dir: Path = Path("data")
    database_url: str = ""
    redis_url: str | None = None
    secret_key: SecretStr = Field(SecretStr(""), validation_alias="SECRET_KEY")
    credentials_master_key: SecretStr = Field(SecretStr(""), validation_alias="CREDENTIALS_MASTER_KEY")
    dry_run_mode: bool = Field(True, validation_alias="DRY_RUN_MODE")
    simulator_url: str = ""
    simulator_key: SecretStr = SecretStr("")
    simulator_secret: SecretStr = SecretStr("")
    simulator_control_token: SecretStr = SecretStr("")
    symbols: TextList = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    base_timeframe: Literal["1s", "1m"] = "1m"
    timeframes: TextList = ("1m", "5m", "15m", "1h")
    shards: int = Field(16, ge=1, le=1_024)
    lease_s: int = Field(5, ge=1, le=600)
    fence_ms: int = Field(15_000, ge=1)
    lockstep: bool = False
    crash_at: str = ""  # tests only: see kit/crash.py
    log_level: TextList = ("INFO",)
    cors_origins: TextList = ()
    api_key: SecretStr = SecretStr("")
    risk: RiskDefaults = RiskDefaults()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return init_settings, env_settings, dotenv_settings

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith((_SQLITE, *_POSTGRES)):
            raise ValueError("must begin with sqlite:/// and a path, or with postgresql://")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_bus(cls, value: str | None) -> str | None:
        if value and not value.startswith(_REDIS):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @field_validator("simulator_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one symbol such as BTC/USDT")
        return tuple(dict.fromkeys(_known(parse_symbol, symbol) for symbol in value))

    @field_validator("timeframes")
    @classmethod
    def _timeframes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for timeframe in value:
            _known(duration_us, timeframe)
        return tuple(sorted(set(value), key=duration_us))

    @field_validator("log_level")
    @classmethod
    def _log_level(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if entry.rpartition("=")[2].upper() not in _LEVELS:
                raise ValueError(f"must be one of {', '.join(_LEVELS)}, or INFO,tidegate.market=DEBUG")
        return value

    @property
    def database(self) -> str:
        """The URL of the database: the given one, else a SQLite file in the data folder."""
        return self.database_url or f"{_SQLITE}{self.data_dir / 'tidegate.db'}"

    @property
    def is_embedded(self) -> bool:
        """Whether everything stands on this machine: the database is a file, and so are the secrets."""
        return self.database.startswith(_SQLITE)

    @property
    def root_log_level(self) -> str:
        """The level of every logger that `log_levels` does not name."""
        return next((entry.upper() for entry in self.log_level if "=" not in entry), "INFO")

    @property
    def log_levels(self) -> dict[str, str]:
        """Levels of single modules, from entries such as `tidegate.market=DEBUG`."""
        named = (entry.partition("=") for entry in self.log_level if "=" in entry)
        return {module: level.upper() for module, _, level in named}

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """Everything that no log line may show."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr) and value)


def load_settings(*, needs_secrets: bool = True, **given: object) -> Settings:
    """The settings, with the words of a command line (`port=9000`) before those of the environment.

    `Invalid` is one sentence with the name and the fix. With `needs_secrets`, an embedded Tidegate draws missing ones
    once and keeps them in the data folder; any other stops.
    """
    _refuse_unknown_names()
    present = {name: value for name, value in given.items() if value is not None}
    try:
        settings = Settings(**present)  # type: ignore[arg-type]
    except ValidationError as error:
        raise Invalid(_sentence(error), code="settings.invalid") from None
    return _with_secrets(settings) if needs_secrets else settings


def known_names() -> dict[str, str]:
    """Every setting as the environment spells it, with the field that it fills (`risk.daily_loss_max`)."""
    names: dict[str, str] = {}
    for field, about in Settings.model_fields.items():
        if about.annotation is RiskDefaults:
            for nested in RiskDefaults.model_fields:
                names[f"{PREFIX}{field}{_NESTED}{nested}".upper()] = f"{field}.{nested}"
        else:
            alias = about.validation_alias
            names[alias if isinstance(alias, str) else f"{PREFIX}{field}".upper()] = field
    return names


def child_environment(**changes: str) -> dict[str, str]:
    """The environment of a child process: ours, with these names set."""
    return {**os.environ, **changes}


def _refuse_unknown_names() -> None:
    known = known_names()
    for name in (*os.environ, *dotenv_values(_DOTENV)):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)
            raise Invalid(
                f"{name} is not a setting of Tidegate; did you mean {nearest[0]}? .env.example lists them all.",
                code="settings.unknown",
            )


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    spelled = {field: name for name, field in known_names().items()} | {name: name for name in known_names()}
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "bool_parsing":
        reason = "should be true or false"
    reason = reason.replace("Input should", "should")
    # An item of a list is named by its list.
    name = spelled.get(place) or spelled.get(place.rpartition(".")[0]) or place
    return f"{name} {reason[:1].lower()}{reason[1:].rstrip('.')}."


def _known(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except Invalid as error:
        raise ValueError(f"has an entry that cannot be used: {error}") from None


def _with_secrets(settings: Settings) -> Settings:
    missing = [name for name in (*_KEYS, *_SIMULATOR_KEYS) if not getattr(settings, name)]
    if settings.is_embedded:
        kept = _kept_secrets(settings.data_dir) if missing else {}
        return settings.model_copy(update={name: SecretStr(kept[name]) for name in missing})
    needed = [_spelled(name) for name in missing if name in _KEYS]
    if needed:
        raise Invalid(
            f"{needed[0]} is not set: with a database server every process must be given the same one;"
            " draw it with `openssl rand -base64 32`.",
            code="settings.secret_missing",
        )
    return settings


def _kept_secrets(folder: Path) -> dict[str, str]:
    file = folder / SECRETS_FILE
    if not file.exists():
        _keep_new_secrets(folder, file)
    try:
        kept = json.loads(file.read_text())
        return {name: str(kept[name]) for name in (*_KEYS, *_SIMULATOR_KEYS)}
    except (ValueError, KeyError, TypeError):
        raise Invalid(
            f"{file} is damaged: put it back from a backup; a new one would end all sessions and lose all credentials.",
            code="settings.secrets_damaged",
        ) from None
    except OSError as error:
        raise Invalid(
            f"{file} cannot be read: {error.strerror}; give it to the user of Tidegate with mode 0600.",
            code="settings.secrets_unreadable",
        ) from None


def _keep_new_secrets(folder: Path, file: Path) -> None:
    drawn = {name: secrets.token_urlsafe(_KEY_BYTES) for name in (*_KEYS, *_SIMULATOR_KEYS)}
    draft = folder / f".{SECRETS_FILE}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as handle:
            json.dump(drawn, handle, indent=2)
            handle.flush()
            os.fsync(handle.fileno())
        # Of several first starts at once, one wins, and the others read what it kept.
        with suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    except OSError as error:
        raise Invalid(
            f"TIDEGATE_DATA_DIR {folder} cannot be written: {error.strerror}; name a folder of your own.",
            code="settings.data_dir_unusable",
        ) from None


def _spelled(field: str) -> str:
    return next(name for name, filled in known_names().items() if filled == field)
