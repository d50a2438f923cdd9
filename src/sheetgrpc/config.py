"""Every setting of the server: its name, default, meaning, and how its text is read.

Settings come in as one frozen value, made here from flags and environment; nobody else reads the environment. This file
knows no other part of the service. Times are seconds, sizes bytes, unless a field says otherwise.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

T = TypeVar("T")
MIB = 1024 * 1024
PAGE_DEFAULT = 20
PAGE_LIMIT = 1000

_PREFIX = "SHEETGRPC_"
_KEY = "setting"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_DURATION_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d+)(KiB|MiB|GiB)?")
_SIZE_UNITS = {"KiB": 1024, "MiB": MIB, "GiB": 1024 * MIB}
_SECRETS = re.compile(r"([?&](?:password|sslpassword)=)[^&]*")
_MOST_DELAYS = 20
_SWITCH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_NONE = "none"
_NEED = r"(?:always|deletes|rows>\d{1,9}|table:[^\s,]+)"
_APPROVE = re.compile(rf"{_NEED}(?:,\s*{_NEED})*")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})")


class StartError(Exception):
    """The server cannot start; the message tells a person why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as people meet it: a flag (`name` with dashes), an environment variable, a row in the docs."""

    name: str
    env: str
    fallback: str  # an older name of the variable, read where `env` is not set; "" for none
    default: str
    meaning: str
    read: Callable[[str], object]  # raises ValueError that says what is wanted

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return "--" + self.name.replace("_", "-")

    @property
    def switch(self) -> bool:
        """True of a flag that takes no value."""
        return self.read is _yes_or_no


def _setting(default: T, read: Callable[[str], T], meaning: str, *, text: str = "", fallback: str = "") -> T:
    """A field with what `Settings.describe` says of it; `text` is the default as people write it."""
    told = {"read": read, "meaning": meaning, "text": text or str(default), "fallback": fallback}
    return field(default=default, metadata={_KEY: told})


def _listen(text: str) -> str:
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ValueError("must be HOST:PORT with a port up to 65535, such as 127.0.0.1:50051")
    return text


def _database(text: str) -> str:
    if not re.fullmatch(r"sqlite:///.+|postgres(ql)?://.+", text):
        raise ValueError("must be sqlite:///PATH (an absolute path has four slashes) or postgresql://HOST/NAME")
    return text


def _yes_or_no(text: str) -> bool:
    if (word := text.lower()) not in _SWITCH:
        raise ValueError("must be yes or no")
    return _SWITCH[word]


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _log_format(text: str) -> str:
    if text not in ("auto", "json", "pretty"):
        raise ValueError("must be auto, json or pretty")
    return text


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("must be seconds, or a number with ms, s, m, h or d, such as 30 or 24h")
    return float(match[1]) * _DURATION_UNITS[match[2] or "s"]


def _or_none(text: str) -> str:
    return "" if text == _NONE else text


def _approve(text: str) -> str:
    if text in ("", _NONE):
        return ""
    if not _APPROVE.fullmatch(text):
        raise ValueError("must be always, or any of deletes, rows>N and table:NAME apart by commas")
    return text


def _some_seconds(text: str) -> float:
    if (seconds := _seconds(text)) <= 0:
        raise ValueError("must be more than 0")
    return seconds


def _days(text: str) -> float:
    if not re.fullmatch(r"\d{1,5}(\.\d+)?", text) or not float(text):
        raise ValueError("must be a number of days, more than 0 and less than 100000, such as 7 or 0.5")
    return float(text)


def _many_events(text: str) -> int:
    if not re.fullmatch(r"\d{3,9}", text) or int(text) < 100:
        raise ValueError("must be a whole number from 100 to 999999999")
    return int(text)


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None or not 0 < (size := int(match[1]) * _SIZE_UNITS.get(match[2], 1)) < 2**31:
        raise ValueError("must be a number of bytes, more than 0 and less than 2 GiB, such as 4194304 or 4MiB")
    return size


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or not int(text):
        raise ValueError("must be a whole number from 1 to 999999999")
    return int(text)


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _delays(text: str) -> tuple[float, ...]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > _MOST_DELAYS:
        raise ValueError(f"must be at most {_MOST_DELAYS} durations")
    return () if parts == ["none"] else tuple(map(_some_seconds, parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a server. `from_env` reads them; made directly, values are taken as they are."""

    listen: str = _setting("127.0.0.1:50051", _listen, "HOST:PORT to accept calls at; port 0 picks a free one")
    database: str = _setting(
        "sqlite:///sheetgrpc.db",
        _database,
        "the database, which holds the user's tables and the server's own: sqlite:///PATH or postgresql://...",
        fallback="DATABASE_URL",
    )
    no_persist: bool = _setting(
        False,
        _yes_or_no,
        "keep everything in memory and nothing beyond the end of the server; the database is not looked at",
        text="no",
    )
    no_persist_fallback: bool = _setting(
        False, _yes_or_no, "serve from memory, as with no_persist, where the database cannot be opened", text="no"
    )
    catalog: str = _setting("onboarding", _words, "path of the catalog, or the name of a bundled one")
    allow: str = _setting(
        "", _or_none, "path of the allow-list of modules that call verbs may use; none: no module", text=_NONE
    )
    handlers: str = _setting(
        "", _or_none, "folder in which modules of call verbs are looked for before what is installed", text=_NONE
    )
    writer_timeout: float = _setting(
        5.0,
        _some_seconds,
        "how long a command waits for the writer, or for what another holds, before it is refused as STORE_BUSY",
        text="5s",
    )
    busy_timeout: float = _setting(
        5.0, _seconds, "how long the writer waits for other programs that write to the SQLite file", text="5s"
    )
    pool_size: int = _setting(
        10, _count, "most connections to PostgreSQL for commands and runs; reads may have as many again"
    )
    query_timeout: float = _setting(
        600.0, _some_seconds, "how long PostgreSQL may take for one query before it is stopped", text="10m"
    )
    replica_lease: float = _setting(
        10.0,
        _some_seconds,
        "how long an execution stays with a server that shares a PostgreSQL and shows no sign of life",
        text="10s",
    )
    poll_interval: float = _setting(
        1.0,
        _some_seconds,
        "how often a server that shares a PostgreSQL looks for what others did and its hints missed",
        text="1s",
    )
    request_id_ttl: float = _setting(
        86400.0, _some_seconds, "how long a request id is remembered", text="24h", fallback="IDEMPOTENCY_TTL_SECONDS"
    )
    retention_days: float = _setting(
        7.0,
        _days,
        "days that a session is kept without a sign of life, and again after its end; fractions are allowed",
        text="7",
        fallback="SESSION_RETENTION_DAYS",
    )
    max_session_events: int = _setting(
        100_000,
        _many_events,
        "events that a live session keeps however old they are; beyond them, those older than retention_days go",
    )
    sweep_interval: float = _setting(
        1.0, _some_seconds, "how often the sweeper looks for what has expired or is to be deleted", text="1s"
    )
    execution_timeout: float = _setting(
        0.0, _seconds, "how long a run may take where its submit says nothing; 0 means without limit", text="0s"
    )
    statement_timeout: float = _setting(
        0.0,
        _seconds,
        "how long one statement of a run may take, or those that are written with it; 0 means without limit",
        text="0s",
    )
    max_running: int = _setting(
        4, _count, "most executions that run at once in this server; on SQLite, which has one writer, it is always one"
    )
    max_queued: int = _setting(10_000, _count, "most executions that wait; beyond it submits are refused as QUEUE_FULL")
    retry_delays: tuple[float, ...] = _setting(
        (4.0, 16.0, 64.0),
        _delays,
        "how long each retry of an execution waits that a lock, a serialization failure or a lost connection stopped;"
        " after the last it stays FAILED; none means never",
        text="4s,16s,64s",
    )
    deferral_delay: float = _setting(
        0.05,
        _some_seconds,
        "how long an execution is first put off for which the database has no room; doubles up to 32 times that",
        text="50ms",
    )
    breaker_failures: int = _setting(
        5,
        _count_or_none,
        "after how many failures in a row of a module that call verbs run what calls into it waits; 0 means never",
    )
    breaker_delay: float = _setting(
        60.0,
        _some_seconds,
        "how long it waits then, until one execution is let through to see whether the module does well again",
        text="60s",
    )
    start_paused: bool = _setting(
        False,
        _yes_or_no,
        "hold the queue from the start, until it is resumed; one that is paused stays as it is",
        text="no",
    )
    max_receive_bytes: int = _setting(64 * MIB, _size, "largest request; gRPC itself refuses more", text="64MiB")
    max_send_bytes: int = _setting(4 * MIB, _size, "largest response; pages are cut to stay below", text="4MiB")
    max_source_bytes: int = _setting(32 * MIB, _size, "largest source of a sheet, in UTF-8", text="32MiB")
    max_statements: int = _setting(200_000, _count, "most statements of a sheet, nested calls counted")
    max_scope_entities: int = _setting(100_000, _count, "most entities of a scope")
    max_nesting: int = _setting(64, _count, "deepest nesting of calls, lists and maps")
    max_arguments: int = _setting(256, _count, "most arguments of a statement")
    heartbeat_interval: float = _setting(
        15.0, _some_seconds, "how long a stream may be silent before it carries a heartbeat", text="15s"
    )
    drain_timeout: float = _setting(
        30.0, _seconds, "how long a shutdown waits for calls and the run under way before it cuts them off", text="30s"
    )
    tokens: str = _setting(
        "",
        _or_none,
        "path of the file that says whose each bearer token is; without one every caller is anonymous",
        text=_NONE,
    )
    approve: str = _setting(
        "",
        _approve,
        "which executions need an approval: always, or any of deletes, rows>N, table:NAME, apart by commas",
        text=_NONE,
    )
    approvers: int = _setting(1, _count, "how many different approvers must approve, of those with the role approver")
    approval_ttl: float = _setting(
        86400.0, _some_seconds, "how long after it was asked for an approval can be decided and used", text="24h"
    )
    log_format: str = _setting("auto", _log_format, "json, pretty, or auto: pretty on a terminal, else json")

    @property
    def request_id_ttl_us(self) -> int:
        """`request_id_ttl` in microseconds."""
        return round(self.request_id_ttl * 1_000_000)

    @property
    def retention_us(self) -> int:
        """`retention_days` in microseconds."""
        return round(self.retention_days * 86_400_000_000)

    @property
    def approval_ttl_us(self) -> int:
        """`approval_ttl` in microseconds."""
        return round(self.approval_ttl * 1_000_000)

    @property
    def execution_timeout_us(self) -> int | None:
        """`execution_timeout` in microseconds, None for no limit."""
        return round(self.execution_timeout * 1_000_000) or None

    @classmethod
    def describe(cls) -> tuple[Setting, ...]:
        """Every setting, in the order of the documentation."""
        return tuple(
            Setting(
                name=one.name,
                env=_PREFIX + one.name.upper(),
                fallback=one.metadata[_KEY]["fallback"],
                default=one.metadata[_KEY]["text"],
                meaning=one.metadata[_KEY]["meaning"],
                read=one.metadata[_KEY]["read"],
            )
            for one in fields(cls)
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **overrides: str | float | bool | None) -> "Settings":
        """Settings from an environment; `overrides` are flags by field name, and None is one that was not given.

        Raises StartError that names every bad value at once, TypeError for an override that is no setting.
        """
        unknown = overrides.keys() - {setting.name for setting in cls.describe()}
        if unknown:
            raise TypeError(f"no such settings: {', '.join(sorted(unknown))}")
        values: dict[str, object] = {}
        problems: list[str] = []
        for setting in cls.describe():
            given = _given(setting, environ, overrides.get(setting.name))
            if given is not None:
                origin, text = given
                try:
                    values[setting.name] = setting.read(text)
                except ValueError as error:
                    problems.append(f'{origin} is "{redact(text)}", but {error}')
        if problems:
            raise StartError("\n".join(problems))
        return cls(**values)  # type: ignore[arg-type]  # each was made by the reader of its own field


def redact(url: str) -> str:
    """A database URL as it may be shown: without its password."""
    if "@" not in url and "password=" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition(":")[0] + "://..."
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}{':***' if ':' in user else ''}{at}{host}"
    return _SECRETS.sub(r"\1***", urlunsplit(parts._replace(netloc=netloc)))


def _given(setting: Setting, environ: Mapping[str, str], override: str | float | bool | None) -> tuple[str, str] | None:
    """Where a setting is given, and its text there: the flag, its variable, its older variable. Empty is not given."""
    if override is not None:
        return setting.flag, str(override)
    for name in (setting.env, setting.fallback):
        if name and environ.get(name):
            return name, environ[name]
    return None
