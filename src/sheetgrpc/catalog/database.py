"""A catalog held against the tables of a live database: everything it names must be there and be unique where it says.

Pure: the tables come described (`Table`); a store does the describing.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sheetgrpc.catalog.form import suggest
from sheetgrpc.catalog.model import Catalog, Entity, Verb, VerbKind


class Table(msgspec.Struct, frozen=True):
    """A table as it is.

    `columns` maps names to declared types. `unique` has the column set of the primary key and of every unique index
    that holds for all rows (no partial index, no expression), and of none else.
    """

    name: str
    columns: Mapping[str, str]
    unique: frozenset[frozenset[str]]


def check(catalog: Catalog, tables: Mapping[str, Table]) -> tuple[str, ...]:
    """What the catalog names and `tables` (by name) has not, entities first, then verbs; empty if all is well."""
    problems: list[str] = []
    for entity in catalog.entities.values():
        problems.extend(_check_entity(entity, tables))
    for verb in catalog.verbs.values():
        problems.extend(_check_verb(verb, catalog, tables))
    return tuple(dict.fromkeys(problems))


def _check_entity(entity: Entity, tables: Mapping[str, Table]) -> Iterator[str]:
    where = f'entity "{entity.name}"'
    table = tables.get(entity.table)
    if table is None:
        yield f"{where}: {_no_table(entity.table, tables)}"
        return
    named = [entity.key.column, entity.display, *entity.search, *entity.natural_key]
    yield from _check_columns(where, table, named)
    yield from _check_unique(where, table, "key", (entity.key.column,))
    yield from _check_unique(where, table, "natural key", entity.natural_key)


def _check_verb(verb: Verb, catalog: Catalog, tables: Mapping[str, Table]) -> Iterator[str]:
    where = f'verb "{verb.name}"'
    if verb.kind is VerbKind.CALL:
        known = {entity.table for entity in catalog.entities.values()}  # of these it has been told already
        for reach in verb.reach:
            if reach.table not in tables and reach.table not in known:
                yield f"{where}: {_no_table(reach.table, tables)}"
        return
    table = tables.get(verb.table)
    if table is None:
        if verb.entity is None:  # else its entity has been told already
            yield f"{where}: {_no_table(verb.table, tables)}"
        return
    for argument in verb.arguments:
        yield from _check_columns(f'{where}, argument "{argument.name}"', table, [argument.column])
    expected = verb.expect.column if verb.expect else None
    filled = {argument.column for argument in verb.arguments}
    yield from _check_columns(where, table, [*verb.columns, expected])
    yield from _check_columns(where, table, [column for column in verb.natural_key if column not in filled])
    if verb.entity is None or verb.natural_key != catalog.entities[verb.entity].natural_key:
        yield from _check_unique(where, table, "natural key", verb.natural_key)


def _no_table(name: str, tables: Mapping[str, Table]) -> str:
    return f'table "{name}" is not in the database{suggest(name, tables)}'


def _check_columns(where: str, table: Table, columns: Iterable[str | None]) -> Iterator[str]:
    for column in columns:
        if column is not None and column not in table.columns:
            yield f'{where}: table "{table.name}" has no column "{column}"{suggest(column, table.columns, offer=True)}'


def _check_unique(where: str, table: Table, noun: str, columns: tuple[str, ...]) -> Iterator[str]:
    # A missing column has been told; that no index has it goes without saying.
    if columns and table.columns.keys() >= set(columns) and frozenset(columns) not in table.unique:
        names = ", ".join(columns)
        yield f'{where}: {noun} ({names}) of table "{table.name}" needs a unique index on exactly these columns'
