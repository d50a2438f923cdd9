"""What the statements of a run do to rows: each change with its table, kind, key, and columns before and after.

A creation shows the columns that its statement writes; a change those that come out different (of a table without a
key also those that say which row it is); a removal every column that the catalog names. What the database itself makes
(defaults, clocks) is in none of them. The key of a row that the run makes is written `#7`, after the statement that
makes it, wherever it stands: the next run of the same sheet draws other keys. Pure; what rows were before the write is
read by the stores, into `Results.images`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress, repeat
from typing import Any, TypeAlias

import msgspec

from sheetgrpc.catalog.model import Argument, Catalog, KeySource, Type, Verb, VerbKind
from sheetgrpc.planning import emissions
from sheetgrpc.planning.model import Cell, Column, Effect, Group, Image, Key, Plan, Results, Status
from sheetgrpc.planning.values import decimal_text, is_uuid, store_date, store_default, store_timestamp

Values: TypeAlias = dict[str, Any]  # column -> JSON value, whatever the database has there
_UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_BITS = 63  # what can be written down everywhere; beyond, a number is told as text
_TREES = frozenset({Type.JSON, Type.LIST})
_INSERTS = frozenset({VerbKind.CREATE, VerbKind.ENSURE, VerbKind.LINK})
_ELSE = frozenset({int(Effect.UPDATED), int(Effect.DELETED)})
_CHANGES = _ELSE | {int(Effect.CREATED)}
_NOTHING: Values = {}  # of all new rows, what they were before


class RowEffect(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row that one statement changes. `kind` is CREATED, UPDATED or DELETED.

    `entity_type` and `key` say which row it is, "" and None in a table without keys; `display` is its text for people.
    `before` is empty for a creation, `after` for a removal.
    """

    statement_index: int
    table: str
    kind: int
    entity_type: str
    key: Key | None
    display: str
    before: Values
    after: Values
    made: bool = False  # the row was made by this very run: what it was before follows from the other effects


class Shown(msgspec.Struct, frozen=True):
    """What the catalog says of a table's columns: their names, their arguments, and which say what row it is."""

    columns: tuple[str, ...]
    arguments: Mapping[str, Argument]
    identity: tuple[str, ...]  # of a table without a key


def shown(catalog: Catalog, verb: Verb) -> Shown:
    """The columns that the catalog names of a verb's table, in its order."""
    arguments: dict[str, Argument] = {}
    named: dict[str, None] = {}
    identity: tuple[str, ...] = ()
    for entity in catalog.entities.values():
        if entity.table == verb.table:
            named |= dict.fromkeys(filter(None, (*entity.natural_key, entity.display, *entity.search)))
    for other in catalog.verbs.values():
        if other.table == verb.table:
            identity = identity or other.natural_key
            named |= dict.fromkeys((*other.natural_key, *other.columns))
            arguments |= {one.column: one for one in other.arguments if one.column is not None}
    key = catalog.entities[verb.entity].key.column if verb.entity is not None else None
    columns = dict.fromkeys((*named, *arguments))
    return Shown(tuple(name for name in columns if name != key), arguments, () if key is not None else identity)


def image_columns(catalog: Catalog, verb: Verb, sets: Sequence[str]) -> list[str]:
    """The columns that are read of a row before a statement of this verb changes it, which sets these."""
    known = shown(catalog, verb)
    if verb.kind in (VerbKind.DELETE, VerbKind.UNLINK):
        return list(known.columns)
    return list(dict.fromkeys((*known.identity, *sets)))


def name_keys(catalog: Catalog, plan: Plan, results: Results, *, real: bool = False) -> "Names":
    """How the effects of a run that has come to its end write keys. `real`: those of rows made as they are, too."""
    return Names({} if real else _made(catalog, plan, results), catalog, plan, results)


def collect(catalog: Catalog, plan: Plan, results: Results, names: "Names") -> list[RowEffect]:
    """Every effect of a run that has come to its end, by statement."""
    tables: dict[str, Shown] = {}
    found: list[RowEffect] = []
    for group in plan.groups:
        verb = catalog.verbs[group.verb]
        if verb.writes:
            known = tables.setdefault(f"{verb.table}\0{verb.entity}", shown(catalog, verb))
            found += _Collector(catalog, results, names, verb, group, known).effects()
    found += _emitted(catalog, results, names)
    found.sort(key=_statement)
    return _mark_made(found, tables)


def hide_keys(results: Results, names: "Names") -> None:
    """Takes the keys that a dry run made out of its results: no row ever has them."""
    if names.statements is results.keys:
        return
    pairs = zip(results.keys, names.statements, strict=True)
    for rows in results.rows.values():
        for row in rows:
            row.update({column: names.text(value) for column, value in row.items() if isinstance(value, str)})
    results.keys = [key if key is name else None for key, name in pairs]


def count_rows(catalog: Catalog, plan: Plan, results: Results, indexes: Sequence[int]) -> dict[str, int]:
    """Rows that these statements have changed, by table; what cascades from them is the database's own."""
    counts: dict[str, int] = {}
    for index in indexes:
        if results.effect[index] in _CHANGES and results.status[index] == Status.SUCCESS:
            table = catalog.verbs[plan.groups[plan.group_of[index]].verb].table
            counts[table] = counts.get(table, 0) + 1 + results.more_rows.get(index, 0)
        for table in emissions.count_changes(catalog, results, index) if results.emitted else ():
            counts[table] = counts.get(table, 0) + 1
    return counts


def _made(catalog: Catalog, plan: Plan, results: Results) -> dict[str, dict[Key, str]]:
    """Entity type -> key of every row that this run made the key of -> what stands for it."""
    made: dict[str, dict[Key, str]] = {}
    for (entity, row), name in emissions.name_made(results):
        made.setdefault(entity, {})[row] = name
    effects, keys, created = results.effect, results.keys, int(Effect.CREATED)  # an enum's own comparison is slow
    for group in plan.groups:
        verb = catalog.verbs[group.verb]
        if verb.entity is None or verb.kind not in _INSERTS:
            continue
        if catalog.entities[verb.entity].key.source is KeySource.ARGUMENT:
            continue
        names = made.setdefault(verb.entity, {})
        for index in group.indexes:
            if effects[index] == created and (key := keys[index]) is not None:
                names[key] = f"#{index}"
    return made


class Names:
    """How keys are written: those that the run made by their statement, others as they are."""

    def __init__(self, made: Mapping[str, Mapping[Key, str]], catalog: Catalog, plan: Plan, results: Results) -> None:
        self._made = made
        self._texts = {key: name for keys in made.values() for key, name in keys.items() if isinstance(key, str)}
        self.statements = results.keys  # by statement: what its key is written as
        if any(made.values()):
            self.statements = results.keys.copy()
            for group in plan.groups:
                names = made.get(catalog.verbs[group.verb].entity or "")
                if names:
                    self._name(names, group.indexes)

    def _name(self, names: Mapping[Key, str], indexes: Sequence[int]) -> None:
        statements = self.statements
        for index in indexes:
            key = statements[index]
            if key is not None:
                statements[index] = names.get(key, key)

    def key(self, entity: str | None, key: Key | None) -> Key | None:
        """The key of a row of this type."""
        names = self._made.get(entity or "")
        return names.get(key, key) if names and key is not None else key

    def text(self, text: str) -> str:
        """A text that may be such a key."""
        return self._texts.get(text, text)

    def tree(self, text: str) -> str:
        """A JSON text that may hold such keys."""
        return _UUIDS.sub(lambda match: self.text(match[0]), text) if self._texts else text


class _Collector:
    """The effects of one group of statements."""

    def __init__(
        self, catalog: Catalog, results: Results, names: Names, verb: Verb, group: Group, known: Shown
    ) -> None:
        self._results, self._names, self._verb, self._group, self._known = results, names, verb, group, known
        entity = catalog.entities[verb.entity] if verb.entity is not None else None
        self._entity = entity.name if entity is not None else ""
        self._key_column = entity.key.column if entity is not None else None
        self._display = entity.display if entity is not None else None
        self._images: Mapping[int, list[Image]] = results.images or {}

    def effects(self) -> list[RowEffect]:
        """In the order of the group; several rows of one statement by what they are."""
        kinds = bytes(map(self._results.effect.__getitem__, self._group.indexes))
        if not any(map(kinds.count, _CHANGES)):
            return []
        written = self._written()
        found = self._created(kinds, written) if Effect.CREATED in kinds else []
        for row, kind in enumerate(kinds):
            if kind in _ELSE:
                after = {name: values[row] for name, values in written.items()}
                found += self._changed(self._group.indexes[row], after)
        return found

    def _created(self, kinds: bytes, written: Mapping[str, Sequence[Cell]]) -> list[RowEffect]:
        """The rows that were inserted: nearly all of most sheets, so column by column."""
        created = int(Effect.CREATED)
        here = [kind == created for kind in kinds] if kinds.count(created) < len(kinds) else repeat(True)
        indexes = list(compress(self._group.indexes, here))
        displays = written.get(self._display or "")
        columns = {name: cells for name, cells in written.items() if name != self._key_column}
        empty = dict.fromkeys(columns)
        afters: list[Values] = [empty.copy() for _ in indexes]
        for name, cells in columns.items():
            for after, cell in zip(afters, compress(cells, here), strict=True):
                after[name] = cell
        return list(
            map(
                RowEffect,
                indexes,
                repeat(self._verb.table),
                repeat(created),
                repeat(self._entity),
                map(self._names.statements.__getitem__, indexes) if self._entity else repeat(None),
                map(_display, compress(displays, here)) if displays is not None else repeat(""),
                repeat(_NOTHING),
                afters,
                repeat(True),
            )
        )

    def _written(self) -> dict[str, Sequence[Cell]]:
        """Column -> what each statement of the group writes there."""
        verb, count = self._verb, len(self._group.indexes)
        selecting = frozenset(verb.by)
        given = dict(zip(self._group.given, self._group.columns, strict=True))
        found: dict[str, Sequence[Cell]] = {}
        for argument in verb.arguments:
            if argument.column is None or argument.name in selecting:
                continue
            if argument.name in given:
                found[argument.column] = self._cells(given[argument.name])
            elif argument.has_default:
                found.setdefault(argument.column, [store_default(argument.default)] * count)
        return found

    def _cells(self, column: Column) -> Sequence[Cell]:
        if column.refs is None and not column.trees:
            return column.values
        names = self._names.statements
        values: list[Cell] = list(column.values)
        if column.refs is not None:
            pairs = zip(column.refs, column.values, strict=True)
            values = [names[ref] if ref >= 0 else value for ref, value in pairs]
            if column.as_text:
                values = [str(value) if isinstance(value, int) else value for value in values]
        for row, pieces in (column.trees or {}).items():
            values[row] = "".join(
                piece if isinstance(piece, str) else msgspec.json.encode(names[piece]).decode() for piece in pieces
            )
        return values

    def _changed(self, index: int, after: Values) -> list[RowEffect]:
        kind = Effect(self._results.effect[index])
        found = [self._from_image(index, kind, image, after) for image in self._images.get(index, ())]
        return found if len(found) == 1 else sorted(found, key=_order)

    def _from_image(self, index: int, kind: Effect, image: Image, after: Values) -> RowEffect:
        before = {
            name: _normal(self._known.arguments, self._names, name, value) for name, value in image.values.items()
        }
        result: Values = {}
        if kind is Effect.UPDATED:
            set_ = {name: value for name, value in after.items() if name in before}
            differing = {name: value for name, value in set_.items() if before[name] != value}
            result = differing or set_  # neither: only the database sees a difference
            identity = {name: before[name] for name in self._known.identity}
            before = identity | {name: before[name] for name in result}
            result = identity | result
        key = self._names.key(self._entity, image.key) if self._entity else None
        return RowEffect(index, self._verb.table, kind, self._entity, key, image.display, before, result)


def _normal(arguments: Mapping[str, Argument], names: Names, column: str, value: object) -> object:
    """A value of the database in the form that a sheet's would have; `arguments` are those of its table, by column."""
    argument = arguments.get(column)
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        value = str(value)
    if argument is None or value is None:
        return names.text(value) if isinstance(value, str) else value
    if argument.type is Type.ENTITY and isinstance(value, (str, int)):
        return names.key(argument.entity, value)
    if argument.type in _TREES and isinstance(value, str):
        return names.tree(value)
    normal = _NORMAL.get(argument.type)
    value = normal(value) if normal is not None else value
    return names.text(value) if isinstance(value, str) else value


def _emitted(catalog: Catalog, results: Results, names: Names) -> Iterator[RowEffect]:
    """What the handlers of calls did."""
    known: dict[str, Mapping[str, Argument]] = {}
    for index, one in emissions.changes(results):
        if one.table not in known:
            verbs = [verb for verb in catalog.verbs.values() if verb.table == one.table]
            stored = (argument for verb in verbs for argument in verb.arguments if argument.column is not None)
            known[one.table] = {argument.column or "": argument for argument in stored}
        before, after = (
            emissions.without_key(catalog, one, values, partial(_normal, known[one.table], names))
            for values in (one.before, one.after)
        )
        key = names.key(one.entity_type, one.key)
        display = emissions.display_of(catalog, one)
        yield RowEffect(index, one.table, one.kind, one.entity_type, key, display, before, after, made=bool(one.made))


def _display(text: object) -> str:
    return "" if text is None else str(text)


def _statement(effect: RowEffect) -> int:
    return effect.statement_index


def _order(effect: RowEffect) -> bytes:
    return msgspec.json.encode((str(effect.key), effect.before, effect.after))


def _decimal(value: object) -> object:
    if isinstance(value, float):
        return repr(value).removesuffix(".0") if "e" not in repr(value) else repr(value)
    if isinstance(value, str) and "." in value and value.replace(".", "", 1).lstrip("-").isdigit():
        return value.rstrip("0").rstrip(".")
    return decimal_text(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _boolean(value: object) -> object:
    return bool(value) if value in (0, 1) else value


def _text_by(read: Callable[[str], str | None]) -> Callable[[object], object]:
    def normal(value: object) -> object:
        return (read(value) or value) if isinstance(value, str) else value

    return normal


_NORMAL: Mapping[Type, Callable[[object], object]] = {
    Type.DECIMAL: _decimal,
    Type.BOOLEAN: _boolean,
    Type.DATE: _text_by(store_date),
    Type.TIMESTAMP: _text_by(store_timestamp),
    Type.UUID: _text_by(lambda text: text.lower() if is_uuid(text) else None),
}


def _mark_made(effects: list[RowEffect], tables: Mapping[str, Shown]) -> list[RowEffect]:
    """Notes which changed rows are ones that an earlier statement of the run made."""
    if all(effect.made for effect in effects):
        return effects  # nothing but new rows
    identities = {name.partition("\0")[0]: known.identity for name, known in tables.items() if known.identity}
    rows: set[tuple[object, ...]] = set()
    for at, effect in enumerate(effects):
        row = _row_of(effect, identities.get(effect.table, ()))
        if effect.kind == Effect.CREATED:
            rows.add(row)
        elif row in rows:
            effects[at] = msgspec.structs.replace(effect, made=True)
    return effects


def _row_of(effect: RowEffect, identity: Sequence[str]) -> tuple[object, ...]:
    if effect.key is not None or not identity:
        return effect.table, effect.key
    values = effect.after or effect.before
    return (effect.table, *(str(values.get(name)) for name in identity))
