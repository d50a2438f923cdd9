"""The planner once more, as obvious and slow as can be: all pairs of statements, straight from DESIGN section 6.

It shares nothing with the real one but the parser of single statements and the catalog. For sheets without errors in
which every name is a known key; cycles are all it reports.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sheetgrpc.catalog.model import Argument, Catalog, KeyType, Type, Verb, VerbKind
from sheetgrpc.dsl.ast import Call, List, Map, Reference, Symbol, Value, Word
from sheetgrpc.dsl.tree import parse_tree
from sheetgrpc.planning.model import Key, Known
from sheetgrpc.planning.values import decimal_text

INSERTS = {VerbKind.CREATE, VerbKind.ENSURE, VerbKind.LINK}
FOLDS = {VerbKind.ENSURE, VerbKind.LINK}
READS = {VerbKind.SELECT, VerbKind.ASSERT}

Token = object  # compared alone: a literal, or ("made by", statement)
Name = tuple[object, ...]  # of a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Naive:
    """What the naive planner makes of a sheet: `depths` unless there are cycles."""

    depths: list[int]
    cycles: list[list[int]]


@dataclass(slots=True)
class Statement:
    """One call, its nested calls lifted."""

    verb: Verb
    values: dict[str, Value]  # by the catalog's name of the argument
    binding: str | None


def plan(source: str, catalog: Catalog, known: Known) -> Naive:
    return Planner(source, catalog, known).plan()


class Planner:
    def __init__(self, source: str, catalog: Catalog, known: Known) -> None:
        self.catalog = catalog
        self.known = known
        self.statements: list[Statement] = []
        for call in parse_tree(source).calls:
            self.lift(call)
        self.makers = {statement.binding: index for index, statement in enumerate(self.statements) if statement.binding}

    def lift(self, call: Call) -> Symbol:
        """Children first, left to right."""
        verb = self.catalog.verbs[call.verb]
        values = {}
        for argument in call.arguments:
            name = next(known.name for known in verb.arguments if argument.name in (known.name, *known.aliases))
            values[name] = self.lift_in(argument.value)
        fresh = f"__{len(self.statements)}"
        self.statements.append(Statement(verb, values, call.binding))
        return Symbol(call.binding or fresh)

    def lift_in(self, value: Value) -> Value:
        match value:
            case Call():
                symbol = self.lift(value)
                self.statements[-1].binding = symbol.name
                return symbol
            case List(items):
                return List(tuple(self.lift_in(item) for item in items))
            case Map(items):
                return Map(tuple((name, self.lift_in(item)) for name, item in items))
            case _:
                return value

    def plan(self) -> Naive:
        order = self.canonical()
        if len(order) < len(self.statements):
            return Naive(depths=[], cycles=self.cycles())
        depths = [0] * len(order)
        for place, later in enumerate(order):
            for earlier in order[:place]:
                steps = self.steps(earlier, later, order)
                if steps is not None:
                    depths[later] = max(depths[later], depths[earlier] + steps)
        return Naive(depths=depths, cycles=[])

    # The canonical order, and what prevents one.

    def needs(self, index: int) -> set[int]:
        names = {name for value in self.statements[index].values.values() for name in symbols(value)}
        return {self.makers[name] for name in names if name in self.makers}

    def canonical(self) -> list[int]:
        """Always the lowest statement whose needs are met; of source order that is source order."""
        order: list[int] = []
        while True:
            free = [i for i in range(len(self.statements)) if i not in order and self.needs(i) <= set(order)]
            if not free:
                return order
            order.append(free[0])

    def cycles(self) -> list[list[int]]:
        """For every knot, the shortest way from its lowest statement back to itself; the first of equally short."""
        knots = {min(self.knot(index)) for index in range(len(self.statements)) if self.reaches(index, index)}
        return [self.way_round(start) for start in sorted(knots)]

    def way_round(self, start: int) -> list[int]:
        paths = [[start]]
        while True:
            round_again = [path for path in paths if start in self.needs(path[-1])]
            if round_again:
                return min(round_again)
            paths = [[*path, i] for path in paths for i in self.needs(path[-1]) & self.knot(start) if i not in path]

    def knot(self, start: int) -> set[int]:
        """The statements that `start` needs, however far, and that need it."""
        return {start} | {i for i in range(len(self.statements)) if self.reaches(start, i) and self.reaches(i, start)}

    def reaches(self, start: int, end: int) -> bool:
        seen: set[int] = set()
        todo = [start]
        while todo:
            todo = [f for index in todo for f in self.needs(index) if f not in seen and not seen.add(f)]  # type: ignore[func-returns-value]
        return end in seen

    # The table of edges.

    def steps(self, earlier: int, later: int, order: list[int]) -> int | None:
        """1 if `later` comes after `earlier`, 0 if it folds into it, None if nothing orders them."""
        if earlier in self.needs(later):
            return 1
        if self.delete_and_mention(earlier, later) or self.delete_and_mention(later, earlier):
            return 1
        first, second = self.statements[earlier].verb, self.statements[later].verb
        if first.table != second.table:
            return None
        if self.whole(earlier) or self.whole(later):
            return 1
        if (first.kind in READS) != (second.kind in READS):
            return 1
        if first.kind in READS or not self.names(earlier) & self.names(later):
            return None
        return 0 if self.folds(earlier, later, order) else 1

    def whole(self, index: int) -> bool:
        """A verb whose `by` gives neither the key nor a natural key."""
        return self.statements[index].verb.kind not in INSERTS and not self.own_names(index)

    def delete_and_mention(self, delete: int, other: int) -> bool:
        return self.statements[delete].verb.kind is VerbKind.DELETE and bool(self.names(delete) & self.mentions(other))

    def folds(self, earlier: int, later: int, order: list[int]) -> bool:
        """Equal ensures or links, and nothing else wrote that row between them."""
        if not self.equal(earlier, later):
            return False
        between = order[order.index(earlier) + 1 : order.index(later)]
        writers = [i for i in between if self.writes(i) and self.names(i) & self.names(later)]
        return all(self.equal(i, later) for i in writers)

    def equal(self, one: int, other: int) -> bool:
        a, b = self.statements[one], self.statements[other]
        if a.verb is not b.verb or a.verb.kind not in FOLDS or a.values.keys() != b.values.keys():
            return False
        return all(
            self.token(a.verb, name, a.values[name]) == self.token(b.verb, name, b.values[name]) for name in a.values
        )

    def writes(self, index: int) -> bool:
        verb = self.statements[index].verb
        return verb.kind not in READS and not self.whole(index)

    # What a row is called.

    def names(self, index: int) -> set[Name]:
        """The names of the row that a statement touches; what a symbol stands for goes by all names its maker gave."""
        return {each for name in self.own_names(index) for each in self.every_name(name)}

    def every_name(self, name: Name) -> set[Name]:
        match name:
            case (table, ("made by", int(maker))) if self.makes(maker, table):
                return self.own_names(maker) | {name}
            case _:
                return {name}

    def makes(self, maker: int, table: object) -> bool:
        verb = self.statements[maker].verb
        return verb.kind in INSERTS and verb.table == table

    def own_names(self, index: int) -> set[Name]:
        verb, values = self.statements[index].verb, self.statements[index].values
        tokens: dict[str, Token] = {}
        for argument in verb.arguments:
            if argument.column is None or (verb.kind not in INSERTS and argument.name not in verb.by):
                continue
            if argument.name in values:
                tokens[argument.column] = self.token(verb, argument.name, values[argument.name])
            elif argument.has_default:
                tokens[argument.column] = argument.default
        found: set[Name] = set()
        key = self.catalog.entities[verb.entity].key.column if verb.entity else None
        if tokens.get(key or "") is not None:
            found.add((verb.table, tokens[key or ""]))
        for natural in self.natural_keys(verb.table):
            if all(tokens.get(column) is not None for column in natural):
                found.add((verb.table, natural, *(tokens[column] for column in natural)))
        if verb.binds and verb.kind in INSERTS:
            found.add((verb.table, ("made by", index)))
        return found

    def natural_keys(self, table: str) -> set[tuple[str, ...]]:
        keys = [entity.natural_key for entity in self.catalog.entities.values() if entity.table == table]
        keys += [verb.natural_key for verb in self.catalog.verbs.values() if verb.table == table]
        return {tuple(sorted(key)) for key in keys if key}

    def mentions(self, index: int) -> set[Name]:
        """The rows whose keys stand in any argument."""
        verb, values = self.statements[index].verb, self.statements[index].values
        found: set[Name] = set()
        for argument in verb.arguments:
            if argument.name in values:
                found |= self.mentioned(argument, values[argument.name])
        return {each for name in found for each in self.every_name(name)}

    def mentioned(self, argument: Argument, value: Value) -> set[Name]:
        makers = [self.makers[name] for name in symbols(value) if name in self.makers]
        found: set[Name] = {(self.statements[maker].verb.table, ("made by", maker)) for maker in makers}
        if argument.entity is not None:
            table = self.catalog.entities[argument.entity].table
            for item in value.items if isinstance(value, List) else (value,):
                key = self.key(argument, item)
                found |= {(table, key)} if key is not None else set()
        return found

    def token(self, verb: Verb, name: str, value: Value) -> Token:
        argument = next(argument for argument in verb.arguments if argument.name == name)
        match value:
            case Symbol(symbol) if symbol in self.makers:
                return ("made by", self.makers[symbol])
            case Symbol(symbol):
                return self.known.symbols[symbol][1]
            case List() | Map():
                return repr(value)
        if argument.type is Type.ENTITY:
            return self.key(argument, value)
        if argument.type is Type.DECIMAL and isinstance(value, int):
            return decimal_text(value)
        return value.text if isinstance(value, Word) else value

    def key(self, argument: Argument, value: Value) -> Key | None:
        """The key that a text, a number or a committed symbol stands for."""
        entity = argument.entity or ""
        if isinstance(value, Symbol):
            return None if value.name in self.makers else self.known.symbols[value.name][1]
        text = value.text if isinstance(value, Word | Reference) else value
        keys = {str(key): key for key in self.known.keys[entity]}  # as they may be written
        written = str(text).lower() if self.catalog.entities[entity].key.type is KeyType.UUID else str(text)
        if not isinstance(value, Reference) and written in keys:
            return keys[written]
        return self.known.references[entity][text] if isinstance(text, str) else None


def symbols(value: Value) -> Iterator[str]:
    match value:
        case Symbol(name):
            yield name
        case List(items):
            for item in items:
                yield from symbols(item)
        case Map(items):
            for _, item in items:
                yield from symbols(item)
