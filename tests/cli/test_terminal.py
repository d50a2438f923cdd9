"""What reaches a terminal: everything people should read, nothing that it would obey."""

import io

import pytest

from sheetgrpc.cli.terminal import Terminal, plural, safe, shorten


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("München 株式会社 🏦", "München 株式会社 🏦"),
        ("red \x1b[31m", r"red \x1b[31m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("two\nlines\r", r"two\nlines\r"),
        ("a\tb", "a    b"),
        ("\x9b31m c1", r"\x9b31m c1"),
        ("right\u202eto left", r"right\u202eto left"),
        ("\u2066isolated\u2069", r"\u2066isolated\u2069"),
        ("line\u2028separator", r"line\u2028separator"),
        ("hidden\u200b", r"hidden\u200b"),
        ("family 👩‍👧", "family 👩‍👧"),
        ("no-break\u00a0space", "no-break\u00a0space"),
        ("lone \ud800", r"lone \ud800"),
        ("\x00\x7f", r"\x00\x7f"),
    ],
)
def test_what_a_terminal_might_obey_is_spelt_out(text: str, shown: str) -> None:
    assert safe(text) == shown


@pytest.mark.parametrize("file", [io.StringIO, Screen])
def test_no_part_of_a_line_reaches_the_terminal_raw(file: type[io.StringIO]) -> None:
    stream = file()
    Terminal(stream).line("[bold]a\x1b[2J", ("b\x07", "red"), ":smile:")
    assert "\x1b[2J" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()
    assert r"[bold]a\x1b[2J" in stream.getvalue()
    assert ":smile:" in stream.getvalue()


def test_a_pipe_gets_no_colour_and_lines_of_any_length() -> None:
    stream = io.StringIO()
    Terminal(stream).line(("x" * 500, "bold red"))
    assert stream.getvalue() == "x" * 500 + "\n"


def test_a_terminal_gets_colour() -> None:
    stream = Screen()
    Terminal(stream).line(("x", "bold red"))
    assert "\x1b[1;31mx" in stream.getvalue()


def test_columns_are_as_wide_as_what_they_show() -> None:
    stream = io.StringIO()
    Terminal(stream).columns([["name", "rows"], ["株式", "1"], ["a\x07", "1,000"]], numbers=frozenset({1}), indent=1)
    assert stream.getvalue().splitlines() == [" name    rows", " 株式       1", r" a\x07  1,000"]


def test_counts_agree_with_their_nouns() -> None:
    assert [plural(0, "phase"), plural(1, "phase"), plural(2013, "statement")] == [
        "0 phases",
        "1 phase",
        "2,013 statements",
    ]


def test_shortened_text_says_so() -> None:
    assert (shorten("abcd", 4), shorten("abcde", 4)) == ("abcd", "abc…")
