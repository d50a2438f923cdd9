"""What the printer writes for the awkward, and what it refuses."""

from decimal import Decimal

import pytest

from sheetgrpc.dsl.ast import Argument, Call, List, Map, Reference, Symbol, Value, Word
from sheetgrpc.dsl.printer import print_call, print_sheet
from sheetgrpc.dsl.tree import parse_tree


def call_of(value: Value) -> Call:
    return Call("a.b", (Argument("x", value),))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('say "hi"', r'"say \"hi\""'),
        ("C:\\new", r'"C:\\new"'),
        ("a\nb\r\n\tc", r'"a\nb\r\n\tc"'),
        ("\0\x1b\x7f", r'"\u0000\u001B\u007F"'),
        ("\u202eevil\u2028", r'"\u202Eevil\u2028"'),
        ("🎉", '"🎉"'),
        (True, "true"),
        (None, "nil"),
        (-5, "-5"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000.0"),
        (Decimal("1E-3"), "0.001"),
        (Decimal("-0.0"), "-0.0"),
        (Reference("A <B> SE"), r"<A \u003CB\u003E SE>"),
        (Word("ASSET_OWNER"), "ASSET_OWNER"),
        (Word("true"), '"true"'),
        (Word("two words"), '"two words"'),
        (List((1, List(()), Map((("k", Symbol("s")),)))), "[1, [], {:k @s}]"),
        (Call("c.d", (Argument("y", List((Call("e.f", (), "z"), 2))),)), "(c.d :y [(e.f :as @z), 2])"),
    ],
)
def test_values_print_as(value: Value, text: str) -> None:
    printed = print_call(call_of(value))
    assert printed == f"(a.b :x {text})"
    assert parse_tree(printed).diagnostics == ()


def test_the_binding_comes_last() -> None:
    assert print_call(Call("a.b", (Argument("x", 1), Argument("y", "2")), "z")) == '(a.b :x 1 :y "2" :as @z)'


def test_a_sheet_is_one_statement_a_line() -> None:
    assert print_sheet([Call("a.b", ()), call_of("line\nend")]) == '(a.b)\n(a.b :x "line\\nend")\n'
    assert print_sheet([]) == ""


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Reference("")])
def test_what_the_language_cannot_say_is_refused(value: Value) -> None:
    with pytest.raises(ValueError):
        print_call(call_of(value))


def test_deep_trees_print_without_recursion() -> None:
    value: Value = 1
    for _ in range(50_000):
        value = List((value,))
    assert print_call(call_of(value)) == "(a.b :x " + "[" * 50_000 + "1" + "]" * 50_000 + ")"
