"""Lists, maps and json: values inside values, as JSON text with holes where a statement's key goes.

A hole is the index of the statement whose key belongs there; it is filled in the run. Depth is bounded by the parser's
nesting limit, so recursion here is too.
"""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Protocol

import msgspec

from sheetgrpc.catalog.model import Argument, Entity, KeyType, Type
from sheetgrpc.dsl.ast import Call, List, Map, Reference, Symbol, Word
from sheetgrpc.dsl.columns import Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.planning.model import Key
from sheetgrpc.planning.values import accepts, kind_name, store_cells

Trouble = tuple[DiagnosticCode, str, str]


class Names(Protocol):
    """Binds a text to a key; `place` is where in the value it stands."""

    def __call__(self, text: str, place: str, *, named: bool) -> Key | None:
        """The key, or None while it is open."""
        ...


class Scope(msgspec.Struct, frozen=True):
    """How the names in a value are bound."""

    symbol: Callable[[str], list[str | int]]  # the pieces that a symbol comes to, a hole among them
    name: Names
    key: Callable[[int], Key]
    entity: Entity | None


def store(argument: Argument, value: object, scope: Scope) -> tuple[list[str | int], list[Trouble], list[str]]:
    """The pieces of the value's JSON text (an int is a hole), what is wrong with it, and the symbols it uses."""
    writer = _Writer(argument, scope)
    if argument.type is Type.LIST and isinstance(value, List):
        writer.check_length(len(value.items))
        writer.items(value.items, writer.item)
    else:
        writer.any(value)
    return writer.pieces(), writer.troubles, list(symbols(value))


def encode(value: object) -> str:
    """The JSON text of a plain value."""
    return json.dumps(value, ensure_ascii=False)


def symbols(value: object) -> Iterator[str]:
    """The names of all symbols in a value."""
    if isinstance(value, Symbol):
        yield value.name
    elif isinstance(value, List):
        for item in value.items:
            yield from symbols(item)
    elif isinstance(value, Map):
        for _, item in value.items:
            yield from symbols(item)


_END = -1  # no statement's index


class _Writer:
    def __init__(self, argument: Argument, scope: Scope) -> None:
        self.argument = argument
        self.scope = scope
        self.parts: list[str | int] = []
        self.troubles: list[Trouble] = []
        self._item = msgspec.structs.replace(argument, type=argument.of or Type.JSON, min_length=None, max_length=None)

    def pieces(self) -> list[str | int]:
        """Neighbouring texts joined."""
        joined: list[str | int] = []
        texts: list[str] = []
        for part in [*self.parts, _END]:
            if isinstance(part, str):
                texts.append(part)
                continue
            if texts:
                joined.append("".join(texts))
                texts = []
            joined.append(part)
        return joined[:-1]

    def check_length(self, length: int) -> None:
        low, high = self.argument.min_length, self.argument.max_length
        if low is not None and length < low:
            self._invalid(f"argument :{self.argument.name} is shorter than {low} items: it has {length}")
        if high is not None and length > high:
            self._invalid(f"argument :{self.argument.name} is longer than {high} items: it has {length}")

    def items(self, values: tuple[object, ...], write: Callable[[object, int], None]) -> None:
        self.parts.append("[")
        for place, value in enumerate(values):
            if place:
                self.parts.append(", ")
            write(value, place)
        self.parts.append("]")

    def item(self, value: object, place: int) -> None:
        """One item of a list argument, of type `of`."""
        if isinstance(value, Symbol):
            self.parts += self.scope.symbol(value.name)
        elif self.argument.of is Type.ENTITY:
            self._entity(value, place)
        elif self.argument.of is Type.JSON or self.argument.of is None:
            self.any(value)
        else:
            self._scalar(value)

    def any(self, value: object, _place: int = 0) -> None:
        """Any value, as JSON."""
        if isinstance(value, Symbol):
            self.parts += self.scope.symbol(value.name)
        elif isinstance(value, (Word, Reference)):
            self.parts.append(encode(value.text))
        elif isinstance(value, Decimal):
            self.parts.append(format(value, "f"))
        elif isinstance(value, List):
            self.items(value.items, self.any)
        elif isinstance(value, Map):
            self._map(value)
        else:
            self.parts.append(encode(value))

    def _map(self, value: Map) -> None:
        self.parts.append("{")
        for place, (name, item) in enumerate(value.items):
            self.parts.append((", " if place else "") + encode(name) + ": ")
            self.any(item)
        self.parts.append("}")

    def _entity(self, value: object, place: int) -> None:
        entity = self.scope.entity
        if isinstance(value, (str, Word, Reference)):
            text = value if isinstance(value, str) else value.text
            key = self.scope.name(text, f"/{place}", named=isinstance(value, Reference))
            self.parts.append(encode(key))
        elif isinstance(value, int) and not isinstance(value, bool) and entity and entity.key.type is KeyType.INTEGER:
            self.parts.append(encode(self.scope.key(value)))
        else:
            self._mismatch(value)

    def _scalar(self, value: object) -> None:
        item = self._item
        kind = kind_of(value)
        if not accepts(item, kind):
            self._mismatch(value)
            return
        cell = value.text if isinstance(value, Word) else value
        stored, problems = store_cells(item, [cell])
        self.troubles += [(problem.code, problem.message, problem.hint) for problem in problems]
        if item.type is Type.DECIMAL and isinstance(stored[0], str):
            self.parts.append(stored[0])
        else:
            self.parts.append(encode(stored[0]))

    def _mismatch(self, value: object) -> None:
        wanted = self.argument.entity or (self.argument.of or Type.JSON).value
        message = f"argument :{self.argument.name} is a list of {wanted}; {kind_name(kind_of(value))} does not fit"
        self.troubles.append((DiagnosticCode.TYPE_MISMATCH, message, ""))

    def _invalid(self, message: str) -> None:
        self.troubles.append((DiagnosticCode.INVALID_VALUE, message, ""))


def kind_of(value: object) -> Kind:
    """The kind of a value inside another."""
    for types, kind in _KINDS:
        if isinstance(value, types):
            return kind
    return Kind.NIL


_KINDS: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (bool, Kind.BOOLEAN),
    (str, Kind.STRING),
    (int, Kind.INTEGER),
    (Decimal, Kind.DECIMAL),
    ((Symbol, Call), Kind.SYMBOL),
    (Reference, Kind.REFERENCE),
    (Word, Kind.WORD),
    (List, Kind.LIST),
    (Map, Kind.MAP),
)
