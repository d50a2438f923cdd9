"""Reads a text place by place: the statement there, or what stands where a statement should, and what to go on with.

This is the general parser as a whole: the fallback and the oracle of the fast path in `parser.py`. A statement with a
fault yields no record, the statements after it do, those included that an unclosed bracket swallowed.
"""

import re

from sheetgrpc.dsl.faults import Faults
from sheetgrpc.dsl.frames import Record
from sheetgrpc.dsl.lexer import CONTROL, END, SKIP, SPACE, SYMBOL, VERB, describe
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.dsl.statement import StatementReader

_BINDINGS = re.compile(rf":as{SPACE}++@?({SYMBOL})")  # the "@" may be what is missing
_VERB = re.compile(VERB + END)
_CLOSERS = re.compile(r"[)\]}]++(?:[ \t\r\n]++[)\]}]++)*+")
_OUTSIDE = re.compile(r'(?:[^("\\;]++|\\|;[^\n]*+|"(?:[^"\\\n]++|\\(?s:.))*+"?+)++')


class Reader:
    """Reads the statements of `text`; after each `read`, `records` are those found, in the order of their indexes."""

    def __init__(self, text: str, limits: Limits, *, lift: bool) -> None:
        self.faults = Faults(limits.errors)
        self.damaged: set[str] = set()  # symbols that statements with a fault would bind
        self._text = text
        self._statements = StatementReader(text, limits, self.faults, lift=lift)

    @property
    def records(self) -> list[Record]:
        """What the last `read` found."""
        return self._statements.records

    def read(self, position: int, base: int) -> int:
        """Reads what stands after `position`; returns where it ends. `base` is the index of the next statement.

        After too many faults the rest of the text is given up; what it binds is not to be called undefined.
        """
        statements, text = self._statements, self._text
        statements.records, statements.base = [], base
        if self.faults.full:
            self.damaged.update(_BINDINGS.findall(text, position))
            return len(text)
        skipped = SKIP.match(text, position)
        at = skipped.end() if skipped else position
        if at == len(text):
            return at
        if text[at] != "(":
            return self._read_outside(position, at)
        return self._read_statement(at)

    def _read_statement(self, at: int, implied: re.Match[str] | None = None) -> int:
        end = self._read_one(at, implied)
        for orphan in self._statements.orphans:
            self._read_one(orphan, None)
        return end

    def _read_one(self, at: int, implied: re.Match[str] | None) -> int:
        first, faults = len(self.records), self.faults.count
        end = self._statements.read(at, implied)
        if self.faults.count > faults:
            del self.records[first:]
            self.damaged.update(_BINDINGS.findall(self._text, at, end))
        return end

    def _read_outside(self, gap: int, at: int) -> int:
        """Reports what stands where a statement should; blanks and comments before it begin at `gap`."""
        text = self._text
        verb = _VERB.match(text, at)
        if verb is not None:
            return self._read_statement(at, verb)
        if CONTROL.match(text, at):
            return self._statements.lexer.read_odd(gap, at).end
        closers = _CLOSERS.match(text, at)
        if closers is not None:
            self.faults.stray(closers[0], at)
            return closers.end()
        found = _OUTSIDE.match(text, at)
        end = found.end() if found else at + 1
        shown = text[at:end].rstrip()
        hint = 'a statement is (verb :name value ...), a comment begins with ";"'
        self.faults.syntax(f"{describe(shown)} stands outside of a statement", at, len(shown), hint)
        self.damaged.update(_BINDINGS.findall(text, at, end))
        return end
