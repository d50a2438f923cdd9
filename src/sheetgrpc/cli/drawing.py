"""Findings drawn as compilers draw them: what, where, the line of the source and a caret under the spot."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from sheetgrpc.cli.terminal import Terminal, plural, safe, shorten
from sheetgrpc.client import words
from sheetgrpc.v1.sheet_pb2 import Sheet
from sheetgrpc.v1.span_pb2 import Span
from sheetgrpc.v1.statement_pb2 import Statement

BEFORE, MARKED, ALL = 48, 80, 112  # characters of a long line that are shown before the spot, at it, in all
COLOURS = {"ERROR": "bold red", "WARNING": "bold yellow"}


@dataclass(frozen=True, slots=True)
class Source:
    """A text, or the part of one that begins at `offset`, under the name that people know it by."""

    name: str
    raw: bytes
    offset: int = 0

    @classmethod
    def of_text(cls, name: str, text: str) -> "Source":
        """A whole sheet."""
        return cls(name, text.encode())

    @classmethod
    def of_statement(cls, name: str, statement: Statement) -> "Source":
        """One statement of a sheet whose text is not at hand."""
        return cls(name, statement.source.encode(), statement.span.offset)

    def excerpt(self, span: Span) -> tuple[str, str, str] | None:
        """The line that a span begins in: before it, of it, after it; None if the span lies elsewhere."""
        start = span.offset - self.offset
        if not 0 <= start <= len(self.raw):
            return None
        first = self.raw.rfind(b"\n", 0, start) + 1
        last = self.raw.find(b"\n", start)
        last = len(self.raw) if last < 0 else last
        end = min(start + span.length, last)
        pieces = (self.raw[first:start], self.raw[start:end], self.raw[end:last].removesuffix(b"\r"))
        before, marked, after = (safe(piece.decode("utf-8", "replace")) for piece in pieces)
        before, marked = _tail(before, BEFORE), shorten(marked, MARKED)
        return before, marked, shorten(after, max(1, ALL - len(before) - len(marked)))


def draw_diagnostics(terminal: Terminal, source: Source, sheet: Sheet) -> None:
    """Draw every finding that a sheet brings along, in source order, and count those that it does not."""
    for diagnostic in sheet.diagnostics:
        severity = words.severity(diagnostic.severity)
        draw(
            terminal,
            source,
            diagnostic.span,
            heading=(severity.lower(), words.diagnostic_code(diagnostic.code), diagnostic.message),
            notes=[("hint", diagnostic.hint)] if diagnostic.hint else [],
            colour=COLOURS.get(severity, "bold"),
        )
    untold = sheet.error_count + sheet.warning_count - len(sheet.diagnostics)
    if untold > 0:
        terminal.line(f"and {plural(untold, 'more finding')}")


def draw(
    terminal: Terminal,
    source: Source,
    span: Span,
    *,
    heading: tuple[str, str, str],
    notes: Sequence[tuple[str, str]] = (),
    colour: str = "bold red",
) -> None:
    """Draw one finding: `heading` is its kind, code and message, `notes` are label and text."""
    kind, code, message = heading
    terminal.line((f"{kind}[{code}]" if code else kind, colour), (": " + message, "bold"))
    gutter = " " * len(str(span.line))
    terminal.line((f"{gutter}--> ", "blue"), f"{source.name}:{span.line}:{span.column}")
    excerpt = source.excerpt(span)
    if excerpt is not None:
        before, marked, after = excerpt
        caret = " " * cell_len(before) + "^" * max(1, cell_len(marked))
        terminal.line((f"{gutter} |", "blue"))
        terminal.line((f"{span.line} | ", "blue"), before, marked, after)
        terminal.line((f"{gutter} | ", "blue"), (caret, colour))
    for label, text in notes:
        terminal.line((f"{gutter} = ", "blue"), (f"{label}: ", "bold"), text)
    terminal.line()


def summarize(name: str, sheet: Sheet) -> str:
    """What is wrong with a sheet, in a line; of one without errors, what it holds."""
    counts = [plural(sheet.error_count, "error")] if sheet.error_count else []
    counts += [plural(sheet.warning_count, "warning")] if sheet.warning_count else []
    if sheet.error_count:
        return f"{name}: {', '.join(counts)}"
    holds = plural(sheet.statement_count, "statement")
    if sheet.phase_count:
        holds += f" in {plural(sheet.phase_count, 'phase')}"
    if sheet.unresolved_count:
        counts.append(f"{plural(sheet.unresolved_count, 'name')} to be resolved")
    return f"{name}: {', '.join([holds, *counts])}"


def _tail(text: str, limit: int) -> str:
    return text if len(text) <= limit else "…" + text[1 - limit :]
