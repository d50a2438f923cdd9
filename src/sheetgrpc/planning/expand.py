"""A template for every entity of a scope: the text of a sheet, one statement a line.

Substitution is on the tree: a template statement is printed once into pieces, with a slot where the placeholder or a
symbol of the template stands, and the pieces are joined per entity. Text is never searched, so `@cbu2`, strings and
comments are safe (S-R14). Symbols that the template binds are renamed per entity (`@p` -> `@p-1`), around every other
symbol that the template mentions (S-R16).
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

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
    seen: set[str] = set()
    for name in bound:
        if name in seen:
            raise TemplateFault(f"the template binds @{name} twice; choose another name")
        seen.add(name)
    if placeholder not in {name for call in tree.calls for name in _symbols(call)}:
        raise TemplateFault(f"the template does not use @{placeholder}; every sheet line would be the same")
    if placeholder not in catalog.entities:
        raise TemplateFault(f"the catalog has no entity type {placeholder}")
    return sum(1 for call in tree.calls for _ in _calls(call))


def expand(source: str, placeholder: str, keys: Sequence[Key]) -> Expansion:
    """The sheet of a checked template for these entities, in their order."""
    made = _Made(_parse(source), placeholder, len(keys))
    text = "".join(_lines(made.lines, keys, made.suffix))
    return Expansion(text, made.statements * len(keys), made.statements)


def size(source: str, placeholder: str, keys: Sequence[Key]) -> tuple[int, int]:
    """Statements, and a bound on the UTF-8 bytes, that `expand` would make; without making them.

    The bound is the exact size but where a key has characters that are printed escaped.
    """
    made = _Made(_parse(source), placeholder, len(keys))
    pieces = [piece for line in made.lines for piece in line]
    symbols = [piece for piece in pieces if isinstance(piece, Symbol)]
    fixed = len(made.lines) + sum(len(piece.encode()) for piece in pieces if isinstance(piece, str))
    fixed += sum(len(f"@{symbol.name}{made.suffix}") for symbol in symbols)
    numbers = sum(len(str(number)) for number in range(1, len(keys) + 1)) if symbols else 0
    slots = sum(piece is _KEY for piece in pieces)
    size = fixed * len(keys) + numbers * len(symbols) + slots * sum(map(_key_size, keys))
    return made.statements * len(keys), size


class _Made:
    """A template taken apart: a line of pieces a statement, and what makes its symbols an entity's own."""

    def __init__(self, tree: Tree, placeholder: str, count: int) -> None:
        bound = {name for call in tree.calls for name in _bindings(call)}
        taken = {name for call in tree.calls for name in _symbols(call)} - bound
        self.statements = sum(1 for call in tree.calls for _ in _calls(call))
        self.suffix = _free_suffix(bound, taken, count)
        self.lines = [_pieces(call, placeholder, bound) for call in tree.calls]


def _key_size(key: Key) -> int:
    if isinstance(key, int):
        return len(str(key))
    plain = key.isprintable() and '"' not in key and "\\" not in key
    return 2 + (len(key.encode()) if plain else len("\\uXXXX") * len(key))


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
    while any(_clashes(other, suffix, bound, count) for other in taken):
        suffix += "_"
    return suffix


def _clashes(other: str, suffix: str, bound: set[str], count: int) -> bool:
    """True if a symbol of the template, renamed for one of `count` entities, would be `other`."""
    head = other.rstrip("0123456789")
    number = other[len(head) :]
    if not head.endswith(suffix) or head.removesuffix(suffix) not in bound:
        return False
    return number[:1] not in ("", "0") and len(number) <= len(str(count)) and int(number) <= count


_KEY = object()  # the slot of the entity's key


def _pieces(call: Call, placeholder: str, bound: set[str]) -> list[object]:
    """The printed statement as text, `_KEY` slots, and `Symbol`s of the template that get the entity's number."""
    marks: list[object] = []
    texts = _MARKERS.split(print_call(_mark(call, placeholder, bound, marks)))
    return [texts[0], *chain.from_iterable(zip(marks, texts[1:], strict=True))]


# Not a symbol that any sheet can hold (the NUL), so nothing else in the printed text can be taken for it.
_MARKERS = re.compile("@\0[0-9]+\0")


def _marker(number: int) -> str:
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
