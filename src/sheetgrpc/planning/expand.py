"""A template for every entity of a scope: the text of a sheet, one statement a line.

Substitution is on the tree: a template statement is printed once into pieces, with a slot where the placeholder or a
symbol of the template stands, and the pieces are joined per entity. Text is never searched, so `@cbu2`, strings and
comments are safe (S-R14). Symbols that the template binds are renamed per entity (`@p` -> `@p-1`), around every other
symbol that the template mentions (S-R16).
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.dsl.ast import Argument, Call, List, Map, Symbol, Value
from sheetgrpc.dsl.printer import print_call
from sheetgrpc.dsl.source import Source
from sheetgrpc.dsl.tree import Tree, parse_tree
from sheetgrpc.planning.model import Key


class TemplateFault(Exception):
    """The template cannot be used; the text says why and where, for people."""


class Expansion(msgspec.Struct, frozen=True):
    """A generated sheet; statement i of it (nested calls lifted) is of entity i // template_statements."""

    source: str
    statement_count: int
    template_statements: int


def check_template(source: str, placeholder: str, catalog: Catalog) -> int:
    """How many statements the template makes per entity; TemplateFault if it cannot be used."""
    tree = _parse(source)
    bound = [name for call in tree.calls for name in _bindings(call)]
    if placeholder in bound:
        raise TemplateFault(f"the template binds @{placeholder}, which stands for the entity; bind another name")
    if len(set(bound)) < len(bound):
        twice = next(name for name in bound if bound.count(name) > 1)
        raise TemplateFault(f"the template binds @{twice} twice; choose another name")
    if placeholder not in {name for call in tree.calls for name in _symbols(call)}:
        raise TemplateFault(f"the template does not use @{placeholder}; every sheet line would be the same")
    if placeholder not in catalog.entities:
        raise TemplateFault(f"the catalog has no entity type {placeholder}")
    return sum(1 for call in tree.calls for _ in _calls(call))


def expand(source: str, placeholder: str, keys: Sequence[Key]) -> Expansion:
    """The sheet of a checked template for these entities, in their order."""
    tree = _parse(source)
    bound = {name for call in tree.calls for name in _bindings(call)}
    taken = {name for call in tree.calls for name in _symbols(call)} - bound
    suffix = _free_suffix(bound, taken, len(keys))
    lines = [_pieces(call, placeholder, bound) for call in tree.calls]
    per_entity = sum(1 for call in tree.calls for _ in _calls(call))
    text = "".join(_lines(lines, keys, suffix))
    return Expansion(text, per_entity * len(keys), per_entity)


def size(source: str, placeholder: str, keys: Sequence[Key]) -> tuple[int, int]:
    """Statements and a bound on the UTF-8 bytes that `expand` would make, without making them."""
    tree = _parse(source)
    per_entity = sum(1 for call in tree.calls for _ in _calls(call))
    bound = {name for call in tree.calls for name in _bindings(call)}
    longest = max((len(str(key).encode()) for key in keys), default=0) + 16
    each = 0
    for call in tree.calls:
        pieces = _pieces(call, placeholder, bound)
        each += sum(len(piece.encode()) for piece in pieces if isinstance(piece, str)) + longest * len(pieces)
    return per_entity * len(keys), each * len(keys)


def _parse(source: str) -> Tree:
    tree = parse_tree(source)
    if tree.diagnostics:
        first = tree.diagnostics[0]
        span = Source(source).span(first.extent)
        raise TemplateFault(f"line {span.line}, column {span.column}: {first.message}")
    if not tree.calls:
        raise TemplateFault("the template has no statement; it looks like (verb :argument @entity)")
    return tree


def _calls(call: Call) -> Iterator[Call]:
    """The call and every call inside it."""
    yield call
    for argument in call.arguments:
        for value in _values(argument.value):
            if isinstance(value, Call):
                yield from _calls(value)


def _values(value: Value) -> Iterator[Value]:
    """The value and what stands in it, but not inside nested calls."""
    yield value
    if isinstance(value, List):
        for item in value.items:
            yield from _values(item)
    elif isinstance(value, Map):
        for _, item in value.items:
            yield from _values(item)


def _bindings(call: Call) -> Iterator[str]:
    for inner in _calls(call):
        if inner.binding is not None:
            yield inner.binding


def _symbols(call: Call) -> Iterator[str]:
    for inner in _calls(call):
        for argument in inner.arguments:
            for value in _values(argument.value):
                if isinstance(value, Symbol):
                    yield value.name


def _free_suffix(bound: set[str], taken: set[str], count: int) -> str:
    """What stands between a template symbol and an entity's number: "-", or "-_" if that hits another symbol, ..."""
    suffix = "-"
    while any(_clashes(name, suffix, taken, count) for name in bound):
        suffix += "_"
    return suffix


def _clashes(name: str, suffix: str, taken: Iterable[str], count: int) -> bool:
    start = name + suffix
    return any(
        other.startswith(start) and other[len(start) :].isdigit() and 1 <= int(other[len(start) :]) <= count
        for other in taken
    )


_KEY = object()  # the slot of the entity's key


def _pieces(call: Call, placeholder: str, bound: set[str]) -> list[object]:
    """The printed statement as text, `_KEY` slots, and `Symbol`s of the template that get the entity's number."""
    marks: list[object] = []
    marked = _mark(call, placeholder, bound, marks)
    text = print_call(marked)
    pieces: list[object] = []
    for number, mark in enumerate(marks):
        before, _, text = text.partition(f"@{_marker(number)}")
        pieces += [before, mark]
    return [*pieces, text]


def _marker(number: int) -> str:
    # Not a symbol that any sheet can hold (the NUL), so nothing else in the printed text can be taken for it.
    return f"\0{number}\0"


def _mark(call: Call, placeholder: str, bound: set[str], marks: list[object]) -> Call:
    """The call with a marker symbol in each slot, numbered in the order they are printed."""

    def value(given: Value) -> Value:
        if isinstance(given, Symbol) and (given.name == placeholder or given.name in bound):
            return mark(given.name)
        if isinstance(given, List):
            return List(tuple(value(item) for item in given.items))
        if isinstance(given, Map):
            return Map(tuple((name, value(item)) for name, item in given.items))
        if isinstance(given, Call):
            return _mark(given, placeholder, bound, marks)
        return given

    def mark(name: str) -> Symbol:
        marks.append(_KEY if name == placeholder else Symbol(name))
        return Symbol(_marker(len(marks) - 1))

    arguments = tuple(Argument(argument.name, value(argument.value)) for argument in call.arguments)
    binding = mark(call.binding).name if call.binding is not None else None
    return Call(call.verb, arguments, binding)


def _lines(lines: Sequence[Sequence[object]], keys: Sequence[Key], suffix: str) -> Iterator[str]:
    for number, key in enumerate(keys, start=1):
        shown = print_key(key)
        end = f"{suffix}{number}"
        for pieces in lines:
            yield "".join(
                piece if isinstance(piece, str) else shown if piece is _KEY else f"@{piece.name}{end}"  # type: ignore[attr-defined]
                for piece in pieces
            )
            yield "\n"


def print_key(key: Key) -> str:
    """A key as a value of the language."""
    text = print_call(Call("a.b", (Argument("c", key),)))
    return text[len("(a.b :c ") : -1]
