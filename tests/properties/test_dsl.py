"""What holds of every text and every tree: the language's promises, tried on many."""

from collections.abc import Iterator
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgrpc.dsl.ast import Argument, Call, List, Map, Reference, Symbol, Value, Word
from sheetgrpc.dsl.columns import Cell, Columns, Kind
from sheetgrpc.dsl.diagnostics import Extent
from sheetgrpc.dsl.parser import Limits, parse
from sheetgrpc.dsl.printer import print_call, print_sheet
from sheetgrpc.dsl.source import Source, locate
from sheetgrpc.dsl.tree import parse_tree

# Trees.

idents = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
names = idents.filter(lambda name: name != "as")
verbs = st.lists(idents, min_size=2, max_size=3).map(".".join)
symbols = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(lambda name: name[:2] != "__")
words = idents.filter(lambda word: word not in ("true", "false", "nil"))
hostile = st.sampled_from(
    ['"', "\\", "\n", "\r\n", "\0", ";", ")", "<>", "@x", "🎉", "\u2028", "\u202e", "\\u0041", "("]
)
texts = st.one_of(st.text(), st.lists(st.one_of(hostile, st.text(max_size=3)), max_size=6).map("".join))
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20).map(
    lambda number: Decimal(text if "." in (text := format(number, "f")) else text + ".0")
)
scalars: st.SearchStrategy[Value] = st.one_of(
    texts,
    st.integers(-(2**63), 2**63 - 1),
    decimals,
    st.booleans(),
    st.none(),
    symbols.map(Symbol),
    texts.filter(bool).map(Reference),
    words.map(Word),
)


def calls_of(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Call]:
    arguments = st.dictionaries(names, values, max_size=4).map(
        lambda entries: tuple(Argument(name, value) for name, value in entries.items())
    )
    return st.builds(Call, verbs, arguments, st.one_of(st.none(), symbols))


def nested(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists = st.lists(values, max_size=4).map(lambda items: List(tuple(items)))
    maps = st.dictionaries(idents, values, max_size=4).map(lambda entries: Map(tuple(entries.items())))
    return st.one_of(lists, maps, calls_of(values))


calls = calls_of(st.recursive(scalars, nested, max_leaves=8))


@given(st.lists(calls, max_size=4))
def test_printed_trees_parse_to_themselves(sheet: list[Call]) -> None:
    tree = parse_tree(print_sheet(sheet))
    assert tree.diagnostics == ()
    assert tree.calls == tuple(sheet)
    assert print_sheet(tree.calls) == print_sheet(sheet)


@given(st.lists(calls, max_size=4))
def test_columns_hold_the_lifted_calls_of_the_trees(sheet: list[Call]) -> None:
    columns = parse(print_sheet(sheet))
    flat: list[Call] = []
    parents: dict[int, int] = {}
    for call in sheet:
        lift(call, flat, parents, nested=False)
    assert rows(columns) == flat
    assert columns.lifted == parents
    assert columns.count == len(flat) == len(columns.offsets) == len(columns.lengths)


def lift(call: Call, flat: list[Call], parents: dict[int, int], *, nested: bool) -> Symbol:
    """The naive way: children first, left to right."""
    children: list[int] = []

    def lifted(value: Value) -> Value:
        match value:
            case Call():
                symbol = lift(value, flat, parents, nested=True)
                children.append(len(flat) - 1)
                return symbol
            case List(items):
                return List(tuple([lifted(item) for item in items]))
            case Map(items):
                return Map(tuple([(key, lifted(item)) for key, item in items]))
        return value

    arguments = tuple([Argument(each.name, lifted(each.value)) for each in call.arguments])
    index = len(flat)
    binding = call.binding or (f"__{index}" if nested else None)
    flat.append(Call(call.verb, arguments, binding))
    parents.update(dict.fromkeys(children, index))
    return Symbol(binding or "")


def rows(columns: Columns) -> list[Call]:
    """Columns as calls, by index."""
    calls: dict[int, Call] = {}
    for group in columns.groups:
        assert list(group.indexes) == sorted(group.indexes)
        for row, index in enumerate(group.indexes):
            cells = zip(group.names, group.kinds, group.columns, strict=True)
            arguments = tuple([Argument(name, node(kind, column[row])) for name, kind, column in cells])
            calls[index] = Call(group.verb, arguments, group.bindings[row] if group.bindings is not None else None)
    return [calls[index] for index in range(columns.count)]


def node(kind: Kind, cell: Cell) -> Value:
    match kind, cell:
        case Kind.SYMBOL, str():
            return Symbol(cell)
        case Kind.REFERENCE, str():
            return Reference(cell)
        case Kind.WORD, str():
            return Word(cell)
    assert isinstance(cell, str | int | bool | Decimal | List | Map | None)
    return cell


# Texts.

FRAGMENTS = (
    *'()[]{}<>":;@,\\ \n\t\r\0-.1aé🎉',
    *("(a.b", " :x", " :as", " @y", ":as @z", '"s"', " 12", "1.5", "1e5", "true", "nil", "w ", "<R>", "<", "; c\n"),
    *(
        "(a.b :x 1)\n",
        "(c.d :y @y :as @z)\n",
        "\n(",
        "\n  (e.f :k [",
        "c.d :x",
        '"\\u00e9"',
        '"\\q',
        '"a\nb"',
        "\ufeff",
    ),
)
damaged_texts = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


@given(st.one_of(st.text(), damaged_texts, st.binary().map(lambda raw: raw.decode("utf-8", "replace"))))
def test_any_text_parses_to_statements_and_diagnostics_within_it(text: str) -> None:
    columns, tree = parse(text), parse_tree(text)
    assert list(tree.diagnostics) == columns.diagnostics
    assert len(tree.calls) == columns.count - len(columns.lifted)
    assert [item.extent.offset for item in tree.diagnostics] == sorted(item.extent.offset for item in tree.diagnostics)
    for extent in [item.extent for item in tree.diagnostics]:
        assert 0 <= extent.offset <= extent.offset + extent.length <= len(text)
    for extent in tree.extents:
        assert text[extent.offset] + text[extent.offset + extent.length - 1] == "()"


@given(damaged_texts, damaged_texts)
def test_damage_ends_at_the_next_statement_that_begins_a_line(before: str, after: str) -> None:
    marker = "(mark.er :value 4711)"
    # A quote before may make the marker part of a string, a bracket before and after part of a statement.
    text = f"{before.replace(chr(34), '')}\n{marker}\n{after.translate({ord(mark): None for mark in '()[]{}'})}"
    wanted = Call("mark.er", (Argument("value", 4711),))
    calls = [*parse_tree(text).calls]
    assert wanted in calls or any(marker in line for line in nested_texts(calls))


def nested_texts(calls: list[Call]) -> list[str]:
    return [print_call(call) for call in calls]


statements = st.sampled_from(
    (
        '(cbu.ensure :name "Fund" :jurisdiction "LU" :as @c1)',
        '(cbu.ensure :as @c2 :name "Fund" :jurisdiction "DE")',
        '(cbu.ensure\n    :name "Zwei Zeilen"\n\t:jurisdiction "LU"\r\n    :as @c3\n)',
        '(cbu.ensure :name "a \\"quoted\\" one" :jurisdiction "LU" :as @c4)',
        '(cbu.ensure :name "line\nend" :jurisdiction "LU" :as @c5)',
        '(cbu.ensure :name "x" ; a comment\n :jurisdiction "LU" :as @c6)',
        '(cbu.ensure :name "x" :name "y" :as @c7)',
        "(cbu.link :of @c1 :share 12.50 :count -3 :open true :note nil :kind WORD :to <Acme (Lux) SE>)",
        "(cbu.link :of @c1 :share 0.1 :count 9223372036854775807 :open false :note nil :kind truest :to <B>)",
        "(cbu.link :of @__1 :share 1.5 :count 1 :open true :note nil :kind W :to <B>)",
        "(cbu.link :of @c1 :share 1.5 :count 99999999999999999999 :open true :note nil :kind W :to <B>)",
        "(cbu.link :of @c1 :share 1.5 :count 1 :open true :note nil :kind true :to <B>)",
        "(cbu.link :of @c1 :share 1.5 :count 1 :open true :note nil :kind W :to <B\\u0041>)",
        "(cbu.link :of @c1 :share 1.5 :count 1 :open true :note nil :kind W :to <B)",
        "(cbu.list :as @all)(cbu.list :as @more) (cbu.list :as @other)",
        "(cbu.info)",
        "(cbu.nest :in (cbu.info) :l [1 2])",
        '(x.y :k "v"z)',
        '(x.y :k "v")',
        '(x.y :k"v")',
        '(x.y :k "v" :as @__s)',
        '(x.y :k "v" :as @s',
        ")",
        "; only a comment",
    )
)
separators = st.sampled_from(("\n", "\n\n", " ", "", "\n; c\n", "\r\n", "\n   "))


@settings(deadline=None)
@given(st.lists(st.tuples(statements, st.integers(1, 15), separators), min_size=1, max_size=12))
def test_fast_path_reads_what_the_general_parser_reads(runs: list[tuple[str, int, str]]) -> None:
    text = "".join((statement + separator) * repeats for statement, repeats, separator in runs)
    assert_same(parse(text), parse(text, shapes=False))


@settings(deadline=None)
@given(st.lists(st.one_of(statements, damaged_texts), max_size=20), statements, statements)
def test_fast_path_stops_at_damage_where_the_general_parser_does(parts: list[str], one: str, two: str) -> None:
    text = f"{one}\n{two}\n" * 13 + "\n".join(parts)
    assert_same(parse(text), parse(text, shapes=False))
    limits = Limits(statements=20, errors=5)
    assert_same(parse(text, limits), parse(text, limits, shapes=False))


def assert_same(fast: Columns, general: Columns) -> None:
    assert fast == general
    for mine, other in zip(fast.groups, general.groups, strict=True):  # 1 == True == Decimal(1): compare types too
        assert [[type(cell) for cell in column] for column in mine.columns] == [
            [type(cell) for cell in column] for column in other.columns
        ]


# Places.


@given(
    st.data(), st.lists(st.sampled_from(("a", "\n", "é", "中", "🎉", "\r\n", "x" * 2_000, "ü" * 3_000))).map("".join)
)
def test_spans_slice_the_utf8_source(data: st.DataObject, text: str) -> None:
    source, raw = Source(text), text.encode()
    for _ in range(3):
        offset = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, len(text) - offset))
        span = source.span(Extent(offset, length))
        assert raw[span.offset : span.offset + span.length].decode() == text[offset : offset + length]
        before = text[:offset].split("\n")
        assert (span.line, span.column) == (len(before), len(before[-1]) + 1)


@given(calls, damaged_texts)
def test_located_parts_are_the_text_of_the_parts(call: Call, before: str) -> None:
    text = f"{before}{print_call(call)}"
    offset = len(before)
    located = locate(text, offset, len(text) - offset)
    assert located.call == call
    assert slice_of(text, located.verb) == call.verb
    assert located.binding is None if call.binding is None else slice_of(text, located.binding) == f"@{call.binding}"
    assert list(located.arguments) == [argument.name for argument in call.arguments]
    for argument in call.arguments:
        extents = located.arguments[argument.name]
        assert slice_of(text, extents.name) == f":{argument.name}"
        alone = print_call(Call("v.v", (Argument("k", argument.value),)))
        assert alone == f"(v.v :k {slice_of(text, extents.value)})"
    assert [f"@{name}" for name, _ in located.symbols] == [slice_of(text, extent) for _, extent in located.symbols]
    assert [name for name, _ in located.symbols] == list(symbols_used(call))


def slice_of(text: str, extent: Extent | None) -> str:
    return "" if extent is None else text[extent.offset : extent.offset + extent.length]


def symbols_used(value: Value) -> Iterator[str]:
    match value:
        case Symbol(name):
            yield name
        case Call(_, arguments):
            for argument in arguments:
                yield from symbols_used(argument.value)
        case List(items):
            for item in items:
                yield from symbols_used(item)
        case Map(items):
            for _, item in items:
                yield from symbols_used(item)
