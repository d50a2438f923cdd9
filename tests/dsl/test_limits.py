"""Hostile sizes: what is refused, what stays one error, and that time grows with the text and not faster."""

from time import process_time

import pytest

from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.dsl.parser import Limits, parse
from sheetgrpc.dsl.tree import parse_tree

MANY = 100_000


@pytest.mark.parametrize("text", ["(" * MANY, "(" * MANY + ")" * MANY, "(a.b :x " * MANY, "(a.b :x " + "[" * MANY])
def test_a_hundred_thousand_brackets_are_one_error(text: str) -> None:
    columns = parse(text + "\n(c.d)")
    assert [diagnostic.code for diagnostic in columns.diagnostics] == [DiagnosticCode.TOO_DEEP]
    assert [group.verb for group in columns.groups] == ["c.d"]


@pytest.mark.parametrize(("depth", "errors"), [(64, 0), (65, 1)])
def test_nesting_counts_every_bracket(depth: int, errors: int) -> None:
    lists = depth - 1
    tree = parse_tree("(a.b :x " + "[" * lists + "]" * lists + ")")
    assert len(tree.diagnostics) == errors
    calls = parse_tree("(a.b :x " * (depth - 1) + "(a.b)" + ")" * (depth - 1))
    assert len(calls.diagnostics) == errors


@pytest.mark.parametrize(("count", "codes"), [(256, []), (257, [DiagnosticCode.LIMIT_EXCEEDED])])
def test_arguments_of_a_call_are_limited(count: int, codes: list[DiagnosticCode]) -> None:
    text = "(a.b " + " ".join(f":k{number} {number}" for number in range(count)) + ")"
    assert [diagnostic.code for diagnostic in parse(text).diagnostics] == codes


@pytest.mark.parametrize("shapes", [True, False])
@pytest.mark.parametrize(("count", "kept", "codes"), [(50, 50, []), (51, 50, [DiagnosticCode.LIMIT_EXCEEDED])])
def test_statements_are_limited(count: int, kept: int, codes: list[DiagnosticCode], shapes: bool) -> None:
    text = "(a.b :x 1)\n" * count
    columns = parse(text, Limits(statements=50), shapes=shapes)
    assert columns.count == kept == len(columns.lengths) == len(columns.groups[0].indexes)
    assert [diagnostic.code for diagnostic in columns.diagnostics] == codes
    assert all(diagnostic.extent.offset == 50 * 11 for diagnostic in columns.diagnostics)
    tree = parse_tree(text, Limits(statements=50))
    assert len(tree.calls) == kept
    assert list(tree.diagnostics) == columns.diagnostics


def test_lifted_statements_count() -> None:
    columns = parse("(a.b :x [" + "(c.d)" * 10 + "])", Limits(statements=5))
    assert columns.count == 5
    assert [diagnostic.code for diagnostic in columns.diagnostics] == [DiagnosticCode.LIMIT_EXCEEDED]
    assert columns.lifted == {}


def test_after_too_many_errors_the_rest_is_not_read() -> None:
    columns = parse("(a.b :x 1.2.3)\n" * 30 + "(c.d :as @unread)", Limits(errors=10))
    assert len(columns.diagnostics) == 11
    assert columns.diagnostics[-1].message == "more than 10 syntax errors; the rest was not read"
    assert columns.diagnostics[-1].extent.offset == 10 * 15 + 8
    assert columns.count == 0
    assert columns.damaged == {"unread"}


FAMILIES = {
    "open": "(a.b :x ",
    "open lines": "(a.b :x\n",
    "lists": "(a.b :x [\n",
    "blocks": "(a.b :l [\n(c.d)\n(c.d)\n",
    "no verbs": "(\n",
    "quotes": '"\n',
    "escaped quotes": '(a.b :x "\\"\\"\n',
    "cut off": '(a.b :x "y)\n',
    "references": "(a.b :x <\n",
    "two lines": '(a.b :x "y\nz")\n',
    "control characters": "(a.b \0 \0",
    "commented control characters": "; \0",
    "verbs": "a.b\n",
    "anonymous": "(a.b :x 1\n  (c.d)\n",
    "mixed": '([{"<@:;\n)x',
    "statements": "(a.b :x 1)\n",
}


@pytest.mark.parametrize("unit", FAMILIES.values(), ids=FAMILIES)
def test_time_grows_with_the_text(unit: str) -> None:
    small, large = (unit * (size // len(unit)) for size in (5_000, 40_000))
    # Eight times the text: a quadratic step would take 64 times as long.
    assert time_of(large) < 24 * time_of(small) + 0.01


def time_of(text: str) -> float:
    """The shorter of two runs, in seconds of processor time."""
    times = []
    for _ in range(2):
        start = process_time()
        parse(text)
        times.append(process_time() - start)
    return min(times)
