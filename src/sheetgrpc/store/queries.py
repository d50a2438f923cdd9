"""Reads the .sql files: named queries and numbered migrations.

The files are the only place for SQL with fixed names; what a catalog names is built in lookups.py and writes.py.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_NUMBERED = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str


@cache
def load_queries(backend: str) -> Mapping[str, str]:
    """The named queries of `sql/<backend>/queries.sql`; ValueError if a name stands twice."""
    _, *parts = _NAME.split(_folder(backend).joinpath("queries.sql").read_text("utf-8"))
    names, texts = parts[::2], parts[1::2]
    if len(set(names)) < len(names):
        raise ValueError("queries.sql has a name twice")
    return {name: text.strip() for name, text in zip(names, texts, strict=True)}


def load_migrations(backend: str) -> tuple[Migration, ...]:
    """The migrations of a backend in order; ValueError if a number stands twice. A number may be another backend's."""
    found = [
        Migration(version=int(match[1]), name=match[2], sql=file.read_text("utf-8"))
        for file in _folder(backend).joinpath("migrations").iterdir()
        if (match := _NUMBERED.fullmatch(file.name))
    ]
    found.sort(key=lambda migration: migration.version)
    if len({migration.version for migration in found}) < len(found):
        raise ValueError("two migrations have one number")
    return tuple(found)


def statements(sql: str) -> Iterator[str]:
    """The statements of a script, each ending a line: sqlite3's own executescript would commit before the first."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if any(line.strip() and not line.startswith("--") for line in pending.splitlines()):
        yield pending


def _folder(backend: str):  # type: ignore[no-untyped-def]  # Traversable moved between modules in 3.11 to 3.14
    return files("sheetgrpc.store").joinpath("sql", backend)
