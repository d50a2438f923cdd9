"""Text on its way to a terminal or a pipe. Knows nothing of sheets.

Everything that is printed comes through here, and here texts of others lose their teeth: names, sources and messages
may hold escape sequences, line breaks, marks that turn the writing direction; they are shown, not obeyed.
"""

import sys
import unicodedata
from collections.abc import Sequence
from typing import TextIO

from google.protobuf.timestamp_pb2 import Timestamp
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

Part = str | tuple[str, str]
"""A text, or a text and its style."""

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # which scripts and emoji need, and which move nothing


class Terminal:
    """One stream to print lines to, in colour where it is a terminal."""

    def __init__(self, file: TextIO) -> None:
        self.console = Console(file=file, highlight=False, markup=False, emoji=False)

    @property
    def live(self) -> bool:
        """Whether people look on: bars move, colours show."""
        return self.console.is_terminal

    def line(self, *parts: Part) -> None:
        """Print one line, whatever its parts hold."""
        self.console.print(_join(parts), soft_wrap=True)

    def columns(self, rows: Sequence[Sequence[str]], *, numbers: frozenset[int] = frozenset(), indent: int = 0) -> None:
        """Print rows in columns under a heading (the first row); those in `numbers` are aligned to the right."""
        shown = [[safe(cell) for cell in row] for row in rows]
        widths = [max(cell_len(cell) for cell in column) for column in zip(*shown, strict=True)]
        for place, row in enumerate(shown):
            cells = [_pad(cell, widths[at], right=at in numbers) for at, cell in enumerate(row)]
            self.line((" " * indent + "  ".join(cells).rstrip(), "bold" if place == 0 else ""))


def prepare_streams() -> None:
    """Make stdout and stderr take any text: what their encoding has no letters for is spelt out."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def stdout() -> Terminal:
    """Where results go."""
    return Terminal(sys.stdout)


def stderr() -> Terminal:
    """Where complaints go."""
    return Terminal(sys.stderr)


def safe(text: str) -> str:
    """The text on one line, with what a terminal might obey spelt out, and tabs as four spaces."""
    if text.isprintable():
        return text
    return "".join(map(_spell, text))


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 phase", "2,013 statements"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def shorten(text: str, limit: int) -> str:
    """The first `limit` characters, the last of them an ellipsis where there were more."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown_time(time: Timestamp) -> str:
    """A moment to the second, in UTC."""
    return time.ToJsonString()[:19].replace("T", " ") + " UTC"


def _spell(character: str) -> str:
    if character == "\t":
        return "    "
    if unicodedata.category(character) not in _HARMFUL or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def _join(parts: Sequence[Part]) -> Text:
    text = Text()
    for part in parts:
        words, style = (part, "") if isinstance(part, str) else part
        text.append(safe(words), style=style or None)
    return text


def _pad(cell: str, width: int, *, right: bool) -> str:
    gap = " " * (width - cell_len(cell))
    return gap + cell if right else cell + gap
