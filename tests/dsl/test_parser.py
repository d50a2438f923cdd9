"""Rules of the parser that a text file shows badly: control characters, types, what is shared and what is kept."""

import copy
from decimal import Decimal

import pytest

from sheetgrpc.dsl.ast import Argument, Call
from sheetgrpc.dsl.columns import Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode, Extent
from sheetgrpc.dsl.parser import parse
from sheetgrpc.dsl.tree import parse_tree


@pytest.mark.parametrize(
    ("text", "offset", "length"),
    [
        ('(a.b :x "a\0b")', 10, 1),
        ('(a.b :x "a\x1bb")', 10, 1),
        ('(a.b :x "a\x7f\\n")', 10, 1),
        ('(a.b :x "a\ud800b")', 10, 1),
        ("(a.b :x <a\x01b>)", 10, 1),
        ("(a.b \x0c:x 1)", 5, 1),
        ("(a.b :x 1 ; c\0c)\n)", 13, 1),
        ("; c\0c (a.b\n(a.b)", 3, 1),
        ("\0\0 (a.b)", 0, 2),
        ("(a.b)\x00", 5, 1),
    ],
)
def test_control_characters_are_reported_where_they_stand(text: str, offset: int, length: int) -> None:
    (diagnostic,) = parse(text).diagnostics
    assert diagnostic.extent == Extent(offset, length)
    assert diagnostic.code is DiagnosticCode.SYNTAX_ERROR
    assert "(U+" in diagnostic.message


@pytest.mark.parametrize("shapes", [True, False])
def test_tabs_carriage_returns_and_control_characters_in_comments_are_fine(shapes: bool) -> None:
    columns = parse('\t(a.b\r\n:x\t"a\tb") ; \x1b[0m bell \x07\r\n' * 30, shapes=shapes)
    assert columns.diagnostics == []
    assert columns.groups[0].columns == [["a\tb"] * 30]


def test_statements_after_damage_keep_counting() -> None:
    columns = parse("(a.b)\n(x\n(a.b)\n(y.z :k)\n(a.b)")
    assert list(columns.groups[0].indexes) == [0, 1, 2]
    assert list(columns.offsets) == [0, 9, 24]


def test_syntax_diagnostics_belong_to_no_statement() -> None:
    assert [item.statement_index for item in parse("(a.b)\n(c.d :x)").diagnostics] == [None]


def test_values_have_the_type_of_their_kind() -> None:
    text = '(a.b :s "1" :i 1 :d 1.0 :t true :n nil :w W)\n'
    for columns in (parse(text), parse(text * 40)):
        cells = [column[-1] for column in columns.groups[0].columns]
        assert [type(cell) for cell in cells] == [str, int, Decimal, bool, type(None), str]
        assert columns.groups[0].kinds == (
            Kind.STRING,
            Kind.INTEGER,
            Kind.DECIMAL,
            Kind.BOOLEAN,
            Kind.NIL,
            Kind.WORD,
        )


def test_decimals_are_exact_beyond_any_context() -> None:
    digits = "1" * 60 + "." + "2" * 60
    assert parse_tree(f"(a.b :x {digits})").calls == (Call("a.b", (Argument("x", Decimal(digits)),)),)


def test_integers_with_thousands_of_digits_are_refused_politely() -> None:
    (diagnostic,) = parse("(a.b :x " + "9" * 10_000 + ")").diagnostics
    assert diagnostic.extent == Extent(8, 10_000)
    assert len(diagnostic.message) < 120


def test_parsing_twice_gives_the_same_and_shares_nothing() -> None:
    text = "(a.b :x 1 :as @p)\n(c.d :y [@p])\n" * 20
    first, second = parse(text), parse(text)
    kept = copy.deepcopy(second)
    first.groups[0].columns[0].append(99)
    first.offsets.append(1)
    assert second == kept


def test_one_regex_shape_serves_all_places_of_as() -> None:
    text = "(a.b :x 1 :as @p :y 2)\n(a.b :as @q :x 3 :y 4)\n(a.b :x 5 :y 6 :as @r)\n" * 30
    (group,) = parse(text).groups
    assert group.columns == [[1, 3, 5] * 30, [2, 4, 6] * 30]
    assert group.bindings == ["p", "q", "r"] * 30
    assert list(group.indexes) == list(range(90))
