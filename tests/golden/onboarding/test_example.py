"""The bundled example holds together: its catalog, its tables and what its README says of them.

That its sheets commit, and twice without a change, is shown where a server runs them.
"""

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

import pytest

from sheetgrpc.catalog.database import Table, check
from sheetgrpc.catalog.loading import load
from sheetgrpc.catalog.model import Catalog

EXAMPLE = files("sheetgrpc.examples").joinpath("onboarding")


@pytest.fixture(name="catalog")
def _catalog() -> Catalog:
    return load(EXAMPLE.joinpath("catalog.yaml").read_text("utf-8"), "catalog.yaml")


@pytest.fixture(name="database")
def _database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(EXAMPLE.joinpath("schema.sql").read_text("utf-8"))
    yield connection
    connection.close()


def test_every_table_column_and_unique_index_of_the_catalog_is_in_the_schema(
    catalog: Catalog, database: sqlite3.Connection
) -> None:
    """The catalog passes the check that a server makes of it at start."""
    assert check(catalog, _tables(database)) == ()


def test_running_the_schema_again_changes_nothing(database: sqlite3.Connection) -> None:
    """A server may run it at every start."""
    before = list(database.iterdump())
    database.executescript(EXAMPLE.joinpath("schema.sql").read_text("utf-8"))
    assert list(database.iterdump()) == before


def test_a_person_is_named_by_first_and_last_name(database: sqlite3.Connection) -> None:
    """Whoever comes without `name` can still be found by one."""
    database.execute("INSERT INTO entities (entity_id, first_name, last_name) VALUES ('1', 'Émile', 'Thill')")
    assert database.execute("SELECT name FROM entities").fetchall() == [("Émile Thill",)]


def test_every_verb_says_what_it_does(catalog: Catalog) -> None:
    """ListVerbs is the documentation that an agent sees."""
    assert [name for name, verb in catalog.verbs.items() if not verb.description.endswith(".")] == []


def test_every_not_null_column_is_given_by_each_verb_that_inserts(
    catalog: Catalog, database: sqlite3.Connection
) -> None:
    """What the database wants is asked for when a sheet is checked, not when it runs."""
    short = []
    for verb in catalog.verbs.values():
        if verb.kind not in ("create", "ensure", "link"):
            continue
        entity = catalog.entities[verb.entity] if verb.entity else None
        given = {
            a.column for a in verb.arguments if a.required or a.has_default or (entity and a.entity == entity.parent)
        }
        made = {entity.key.column} if entity else set()
        columns = database.execute(f'PRAGMA table_info("{verb.table}")').fetchall()
        needed = {name for _, name, _, not_null, default, _ in columns if not_null and default is None}
        short += [f"{verb.name}: {name}" for name in needed - given - made]
    assert short == []


def test_the_readme_counts_right(catalog: Catalog) -> None:
    """Its numbers are those of the files beside it."""
    readme = EXAMPLE.joinpath("README.md").read_text("utf-8")
    sheet = EXAMPLE.joinpath("sheets", "gleif.dsl").read_text("utf-8")
    assert f"{len(catalog.entities)} entity types and {len(catalog.verbs)} verbs" in readme
    statements, units = sheet.count("\n("), sheet.count("\n(cbu.ensure ")
    assert f"{statements} statements" in readme
    assert f"{units} funds" in readme


def _tables(database: sqlite3.Connection) -> dict[str, Table]:
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: Table(name=name, columns=_columns(database, name), unique=_unique(database, name)) for name in names}


def _columns(database: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] for row in database.execute(f'PRAGMA table_info("{table}")')}


def _unique(database: sqlite3.Connection, table: str) -> frozenset[frozenset[str]]:
    indexes = [row[1] for row in database.execute(f'PRAGMA index_list("{table}")') if row[2] and not row[4]]
    return frozenset(
        frozenset(row[2] for row in database.execute(f'PRAGMA index_info("{index}")')) for index in indexes
    )
