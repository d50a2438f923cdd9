"""Findings as they are drawn: each with its line of the source and a caret under the spot."""

import io

import pytest

from sheetgrpc.cli.drawing import Source, draw, draw_diagnostics, summarize
from sheetgrpc.cli.terminal import Terminal
from sheetgrpc.v1 import diagnostic_pb2
from sheetgrpc.v1.sheet_pb2 import Sheet
from sheetgrpc.v1.span_pb2 import Span
from sheetgrpc.v1.statement_pb2 import Statement

TEXT = ';; Münchner Fonds\r\n(cbu.ensur :name "株式" :x 1)\n\t(b "long\nstring")\n'


def span_of(marked: str, text: str = TEXT) -> Span:
    at = text.index(marked)
    return Span(
        offset=len(text[:at].encode()),
        length=len(marked.encode()),
        line=text[:at].count("\n") + 1,
        column=at - text.rfind("\n", 0, at),
    )


def drawn(span: Span, text: str = TEXT) -> list[str]:
    stream = io.StringIO()
    draw(Terminal(stream), Source.of_text("f.dsl", text), span, heading=("error", "CODE", "it is wrong"))
    return stream.getvalue().splitlines()


def test_a_finding_is_drawn_with_its_place_its_line_and_its_hint() -> None:
    finding = diagnostic_pb2.Diagnostic(
        severity=diagnostic_pb2.DIAGNOSTIC_SEVERITY_ERROR,
        code=diagnostic_pb2.DIAGNOSTIC_CODE_UNKNOWN_VERB,
        message="there is no verb cbu.ensur",
        hint="did you mean cbu.ensure?",
        span=span_of("cbu.ensur"),
    )
    stream = io.StringIO()
    draw_diagnostics(Terminal(stream), Source.of_text("f.dsl", TEXT), Sheet(error_count=9, diagnostics=[finding]))
    assert stream.getvalue().splitlines() == [
        "error[UNKNOWN_VERB]: there is no verb cbu.ensur",
        " --> f.dsl:2:2",
        "  |",
        '2 | (cbu.ensur :name "株式" :x 1)',
        "  |  ^^^^^^^^^",
        "  = hint: did you mean cbu.ensure?",
        "",
        "and 8 more findings",
    ]


@pytest.mark.parametrize(
    ("marked", "line", "caret"),
    [
        ('"株式"', '2 | (cbu.ensur :name "株式" :x 1)', "  |                  ^^^^^^"),  # two cells a letter
        (":x", '2 | (cbu.ensur :name "株式" :x 1)', "  |                         ^^"),
        ("Fonds", "1 | ;; Münchner Fonds", "  |             ^^^^^"),  # and no carriage return
        ('"long\nstring"', '3 |     (b "long', "  |        ^^^^^"),  # tabs are four spaces; the first line of many
    ],
)
def test_the_caret_stands_under_the_spot_whatever_goes_before_it(marked: str, line: str, caret: str) -> None:
    assert drawn(span_of(marked))[3:5] == [line, caret]


def test_a_place_without_length_still_has_a_caret() -> None:
    end = len(TEXT.encode())
    assert drawn(Span(offset=end, length=0, line=5, column=1))[3:5] == ["5 | ", "  | ^"]


def test_the_gutter_is_as_wide_as_the_line_number() -> None:
    text = "\n" * 999 + "(x)\n"
    assert drawn(span_of("(x)", text), text)[1:5] == ["    --> f.dsl:1000:1", "     |", "1000 | (x)", "     | ^^^"]


def test_long_lines_are_cut_around_the_spot() -> None:
    text = "a" * 5000 + "SPOT" + "b" * 5000
    line, caret = drawn(span_of("SPOT", text), text)[3:5]
    assert len(line) < 130
    assert caret.index("^") == line.index("SPOT")
    assert caret.count("^") == 4
    assert line.startswith("1 | …a")
    assert line.endswith("b…")


def test_a_span_as_long_as_the_source_is_cut() -> None:
    text = "x" * 5000
    line, caret = drawn(span_of(text, text), text)[3:5]
    assert len(line) < 130
    assert line.endswith("x…")
    assert len(caret) == len(line)


def test_hostile_source_is_spelt_out_and_the_caret_still_stands_right() -> None:
    text = 'a\x1b[31m\u202e "\x07" b'
    line, caret = drawn(span_of('"\x07"', text), text)[3:5]
    assert line == r'1 | a\x1b[31m\u202e "\x07" b'
    assert caret.index("^") == line.index('"')
    assert caret.count("^") == len(r'"\x07"')


def test_a_span_outside_of_the_source_is_told_without_a_line() -> None:
    assert drawn(Span(offset=10_000, length=1, line=77, column=3)) == [
        "error[CODE]: it is wrong",
        "  --> f.dsl:77:3",
        "",
    ]


def test_a_statement_alone_is_drawn_at_its_place_in_the_sheet() -> None:
    statement = Statement(source='(b "long\nstring")', span=span_of('(b "long\nstring")'))
    stream = io.StringIO()
    source = Source.of_statement("sheet", statement)
    draw(Terminal(stream), source, span_of("string"), heading=("error", "", "no"))
    assert stream.getvalue().splitlines()[:5] == ["error: no", " --> sheet:4:1", "  |", '4 | string")', "  | ^^^^^^"]


@pytest.mark.parametrize(
    ("sheet", "line"),
    [
        (Sheet(error_count=1, statement_count=5), "f: 1 error"),
        (Sheet(error_count=11, warning_count=2), "f: 11 errors, 2 warnings"),
        (Sheet(statement_count=2013, phase_count=4), "f: 2,013 statements in 4 phases"),
        (Sheet(statement_count=1, phase_count=1, warning_count=1), "f: 1 statement in 1 phase, 1 warning"),
        (Sheet(statement_count=3, unresolved_count=2), "f: 3 statements, 2 names to be resolved"),
    ],
)
def test_a_sheet_in_a_line(sheet: Sheet, line: str) -> None:
    assert summarize("f", sheet) == line
