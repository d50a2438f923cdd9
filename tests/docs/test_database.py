"""docs/database.md has every table, column, index, trigger and view that a new database has, and none besides."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.docs.pages import read

from sheetgrpc.store.sqlite.migrations import migrate

PAGE = read("docs/database.md")
SECTIONS = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
COLUMN = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
INDEX = re.compile(r"^\| `(\w+)` \| ([^|]+) \|$", re.MULTILINE)


@pytest.fixture
def schema() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, 0)
        yield connection


def test_every_table_has_its_section(schema: sqlite3.Connection) -> None:
    tables = {name for (name,) in schema.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert set(SECTIONS) == tables
    assert len(re.findall(r"^## `", PAGE, re.MULTILINE)) == len(SECTIONS), "a table is told of twice"


@pytest.mark.parametrize("table", SECTIONS)
def test_its_columns_are_told_in_order_with_type_and_key(table: str, schema: sqlite3.Connection) -> None:
    live = [
        (name, (kind.lower() or "any") + (", key" if key else ""))
        for _, name, kind, _, _, key in schema.execute(f"PRAGMA table_info({table})")
    ]
    assert [(name, kind) for name, kind, _ in COLUMN.findall(SECTIONS[table])] == live


@pytest.mark.parametrize("table", SECTIONS)
def test_its_indexes_and_triggers_are_told(table: str, schema: sqlite3.Connection) -> None:
    query = "SELECT name FROM sqlite_schema WHERE type IN ('index', 'trigger') AND tbl_name = ? AND sql IS NOT NULL"
    live = sorted(name for (name,) in schema.execute(query, [table]))
    assert sorted(name for name, _ in INDEX.findall(SECTIONS[table])) == live


def test_every_view_is_told_with_its_columns(schema: sqlite3.Connection) -> None:
    rows = re.findall(r"^\| `(sheetgrpc_\w+)` \| [^|]*: ([^|]+) \|$", PAGE.partition("\n## Views\n")[2], re.MULTILINE)
    told = {view: re.findall(r"`(\w+)`", columns) for view, columns in rows}
    views = [name for (name,) in schema.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")]
    assert told == {view: [row[1] for row in schema.execute(f"PRAGMA table_info({view})")] for view in views}


@pytest.mark.parametrize("table", SECTIONS)
def test_each_is_explained(table: str) -> None:
    assert SECTIONS[table].lstrip("\n")[0].isupper(), "say what the table is for"
    assert all(len(why.split()) >= 1 for *_, why in COLUMN.findall(SECTIONS[table]))
    assert all(len(why.split()) > 3 for _, why in INDEX.findall(SECTIONS[table]))
