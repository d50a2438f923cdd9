"""A catalog against described tables: what is missing is named."""

import msgspec
import pytest

from sheetgrpc.catalog.database import Table, check
from sheetgrpc.catalog.loading import load

CATALOG = load(
    """
entities:
  cbu: {table: cbus, key: cbu_id, display: name, search: [lei], natural_key: [name, country]}
verbs:
  cbu.ensure:
    kind: ensure
    entity: cbu
    arguments: {name: {type: string, required: true}, country: {type: string, required: true}}
  cbu.by-lei:
    kind: ensure
    entity: cbu
    natural_key: [lei]
    arguments: {lei: {type: string, required: true}, note: {type: string, column: null}}
  role.add:
    kind: link
    table: roles
    natural_key: [cbu_id, role]
    arguments: {cbu-id: {type: entity, entity: cbu, required: true}, role: {type: string, required: true}}
  role.list: {kind: select, table: roles, columns: [role, since]}
  role.none: {kind: assert, table: roles, expect: {column: ended, is: null}}
""",
    "f",
)


def table(name: str, columns: str, *unique: str) -> Table:
    return Table(
        name=name,
        columns=dict.fromkeys(columns.split(), "TEXT"),
        unique=frozenset(frozenset(names.split()) for names in unique),
    )


EXACTLY = "needs a unique index on exactly these columns"
CBUS = table("cbus", "cbu_id name country lei", "cbu_id", "country name", "lei")
ROLES = table("roles", "cbu_id role since ended", "role cbu_id")


def test_a_database_that_has_everything_is_sound() -> None:
    assert check(CATALOG, {"cbus": CBUS, "roles": ROLES, "other": table("other", "x")}) == ()


@pytest.mark.parametrize(
    ("cbus", "roles", "problems"),
    [
        (
            None,
            None,
            [
                'entity "cbu": table "cbus" is not in the database',
                'verb "role.add": table "roles" is not in the database',
                'verb "role.list": table "roles" is not in the database',
                'verb "role.none": table "roles" is not in the database',
            ],
        ),
        (
            table("cbus", "id name country lei", "id", "name country", "lei"),
            ROLES,
            ['entity "cbu": table "cbus" has no column "cbu_id"; known here: country, id, lei, name'],
        ),
        (
            table("cbus", "cbu_id nam country", "cbu_id"),
            ROLES,
            [
                'entity "cbu": table "cbus" has no column "name"; did you mean "nam"?',
                'entity "cbu": table "cbus" has no column "lei"; known here: cbu_id, country, nam',
                'verb "cbu.ensure", argument "name": table "cbus" has no column "name"; did you mean "nam"?',
                'verb "cbu.by-lei", argument "lei": table "cbus" has no column "lei"; known here: cbu_id, country, nam',
            ],
        ),
        (
            table("cbus", "cbu_id name country lei", "name", "country name lei", "cbu_id lei"),
            ROLES,
            [
                f'entity "cbu": key (cbu_id) of table "cbus" {EXACTLY}',
                f'entity "cbu": natural key (name, country) of table "cbus" {EXACTLY}',
                f'verb "cbu.by-lei": natural key (lei) of table "cbus" {EXACTLY}',
            ],
        ),
        (
            CBUS,
            table("roles", "cbu_id role"),
            [
                f'verb "role.add": natural key (cbu_id, role) of table "roles" {EXACTLY}',
                'verb "role.list": table "roles" has no column "since"; known here: cbu_id, role',
                'verb "role.none": table "roles" has no column "ended"; known here: cbu_id, role',
            ],
        ),
    ],
)
def test_what_the_database_lacks_is_named(cbus: Table | None, roles: Table | None, problems: list[str]) -> None:
    tables = {table.name: table for table in (cbus, roles) if table is not None}
    assert list(check(CATALOG, tables)) == problems


def test_a_near_table_is_offered() -> None:
    tables = {"cbus": CBUS, "role": msgspec.structs.replace(ROLES, name="role")}
    assert check(CATALOG, tables)[0] == 'verb "role.add": table "roles" is not in the database; did you mean "role"?'
