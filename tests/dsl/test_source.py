"""Where things stand: spans for the wire, parts of a statement."""

import pytest

from sheetgrpc.dsl.diagnostics import Extent, Span
from sheetgrpc.dsl.source import Source, locate

TEXT = '; ü\n(cbu.assign :cbu-id @c ; é\n  :names ["é" @d {:as @e}] :at (f.g :as @h :k <R>) :as @x)\n'
STATEMENT = (4, len(TEXT) - 5)


def test_a_span_is_bytes_and_the_column_is_code_points() -> None:
    text = 'é\n🎉 "ü" x'
    assert Source(text).span(Extent(text.index('"'), 3)) == Span(offset=8, length=4, line=2, column=3)


def test_a_span_may_end_with_the_text_and_be_empty() -> None:
    assert Source("").span(Extent(0, 0)) == Span(0, 0, 1, 1)
    assert Source("aé\n").span(Extent(3, 0)) == Span(4, 0, 2, 1)


def test_spans_deep_in_a_long_line_know_their_column() -> None:
    text = "x\n" + "é" * 50_000
    assert Source(text).span(Extent(40_002, 2)) == Span(80_002, 4, 2, 40_001)


def test_parts_of_a_statement_are_found() -> None:
    located = locate(TEXT, *STATEMENT)

    def shown(extent: Extent | None) -> str:
        return TEXT[extent.offset : extent.offset + extent.length] if extent else ""

    assert shown(located.verb) == "cbu.assign"
    assert shown(located.binding) == "@x"
    assert {name: (shown(each.name), shown(each.value)) for name, each in located.arguments.items()} == {
        "cbu-id": (":cbu-id", "@c"),
        "names": (":names", '["é" @d {:as @e}]'),
        "at": (":at", "(f.g :as @h :k <R>)"),
    }
    assert [(name, shown(extent)) for name, extent in located.symbols] == [("c", "@c"), ("d", "@d"), ("e", "@e")]
    assert located.call.binding == "x"


def test_a_statement_without_arguments_is_located() -> None:
    located = locate("(a.b)", 0, 5)
    assert (located.arguments, located.binding, located.symbols) == ({}, None, [])


@pytest.mark.parametrize("text", ["", "; c", "(a.b :x)", "(a.b) (c.d)", "(a.b"])
def test_what_is_no_statement_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no statement stands at 0"):
        locate(text, 0, len(text))
