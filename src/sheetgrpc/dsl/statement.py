"""Reads one statement with an explicit stack of open brackets, and reports every fault in it.

It never raises and never recurses. A fault damages the statement, and reading goes on in it as if the fault were not
there. When a bracket turns out never to be closed, the whole calls in it that begin a line are its `orphans`: they are
statements, which `reader.py` reads again.
"""

import re
from decimal import Decimal
from typing import Final

from sheetgrpc.dsl.columns import Cell, Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.dsl.faults import Faults
from sheetgrpc.dsl.frames import BINDING, CLOSERS, KEY, OPENERS, VALUE, VERB_FIRST, Frame, Record, to_call
from sheetgrpc.dsl.lexer import (
    BRACKET,
    CONSTANTS,
    DECIMAL_TOKEN,
    IDENT,
    INTEGER_TOKEN,
    KEYWORD,
    ODD,
    REFERENCE_TOKEN,
    RESERVED,
    STRING_TOKEN,
    SYMBOL_TOKEN,
    TOKEN,
    VERB,
    WORD_TOKEN,
    Lexer,
    describe,
)
from sheetgrpc.dsl.limits import Limits

_NAME = re.compile(IDENT)
_STATEMENT = re.compile(rf"\((?={VERB})")
_NEXT_BRACKETS = re.compile(r'(?:[^()\[\]{}";]++|;[^\n]*+|"(?:[^"\\\n]++|\\(?s:.))*+"?+)*+([(\[{]++|[)\]}]++)')
_NESTED: Final = {"(": "a statement", "[": "a list", "{": "a map"}

# Members of an enum are slow to reach.
_STRING, _INTEGER, _DECIMAL, _SYMBOL, _REFERENCE, _WORD = (
    Kind.STRING, Kind.INTEGER, Kind.DECIMAL, Kind.SYMBOL, Kind.REFERENCE, Kind.WORD,
)  # fmt: skip


class StatementReader:
    """Reads statements of one text. `lift` takes nested calls out of their parents, as columns need it.

    `records` gathers what was read, nested calls before their parents; an index is `base` and the place therein.
    """

    def __init__(self, text: str, limits: Limits, faults: Faults, *, lift: bool) -> None:
        self.base = 0
        self.records: list[Record] = []
        self.orphans: list[int] = []  # what the last statement swallowed: where each begins
        self.lexer = Lexer(text, faults.report)
        self._text = text
        self._limits = limits
        self._faults = faults
        self._lift = lift
        self._frames: list[Frame] = []
        self._mark = self._kept = self._column = 0
        self._handlers = [
            self._odd, self._keyword, self._string, self._symbol, self._bracket, self._word, self._integer,
            self._decimal, self._reference, self._comma, self._odd,
        ]  # fmt: skip

    def read(self, at: int, implied: re.Match[str] | None = None) -> int:
        """Reads the statement whose "(" is at `at`, or is missing before the verb `implied`; returns where it ends."""
        faults = self._faults
        self.orphans = []
        self._mark, self._kept = faults.count, len(faults.kept)
        self._column = self._indent(at) or 0
        frame = Frame("(", at, self._mark, None)
        self._frames.append(frame)
        if implied is None:
            return self._run(at + 1)
        frame.verb, frame.expects = implied[0], KEY
        faults.lacks_opener(implied[0], at)
        faults.quiet = True
        end = self._run(implied.end())
        faults.quiet = False
        return end

    def _run(self, position: int) -> int:
        text, match, handlers, frames = self._text, TOKEN.match, self._handlers, self._frames
        while frames:
            token = match(text, position)
            if token is None:
                self._drop_all()
                return len(text)
            position = handlers[token.lastindex or ODD](token)
        return position

    # Tokens: each handler takes the match of one and returns where to go on.

    def _keyword(self, token: re.Match[str]) -> int:
        frame = self._frames[-1]
        name = token[KEYWORD]
        if frame.expects == KEY and name != "as" and name not in frame.values:
            frame.key = name
            frame.key_at = token.start(KEYWORD) - 1
            frame.expects = VALUE
        else:
            self._odd_keyword(frame, name, token.start(KEYWORD) - 1)
        return token.end()

    def _odd_keyword(self, frame: Frame, name: str, at: int) -> None:
        if frame.closer == "]":
            self._faults.syntax(f'":{name}" may not stand in a list', at, len(name) + 1, "a map is {:name value}")
            return
        self._check_complete(frame)
        frame.key, frame.key_at, frame.expects = name, at, VALUE
        if name == "as" and frame.closer == ")":
            frame.expects = BINDING
            if frame.bound_at >= 0:
                hint = "a statement binds one symbol; keep one of them"
                self._faults.syntax('":as" stands twice in one statement', at, 3, hint)
        elif name in frame.values:
            self._faults.duplicate(frame.verb or "" if frame.closer == ")" else None, name, at)

    def _string(self, token: re.Match[str]) -> int:
        frame = self._frames[-1]
        if frame.expects == VALUE:
            frame.add(_STRING, token[STRING_TOKEN])
        else:
            self._misplaced(frame, "a string", token.start(STRING_TOKEN) - 1, token.end(), token[STRING_TOKEN])
        return token.end()

    def _symbol(self, token: re.Match[str]) -> int:
        frame = self._frames[-1]
        name = token[SYMBOL_TOKEN]
        at = token.start(SYMBOL_TOKEN) - 1
        if name.startswith(RESERVED):
            self._faults.reserved(name, at)
        if frame.expects == VALUE:
            frame.add(_SYMBOL, name)
        elif frame.expects == BINDING:
            frame.binding, frame.bound_at, frame.expects = name, len(frame.values), KEY
        else:
            self._misplaced(frame, f'"@{name}"', at, token.end())
        return token.end()

    def _word(self, token: re.Match[str]) -> int:
        frame = self._frames[-1]
        word = token[WORD_TOKEN]
        if frame.expects == VERB_FIRST:
            frame.verb, frame.expects = word, KEY
            if "." not in word:
                self._faults.lacks_domain(word, token.start(WORD_TOKEN))
        elif frame.expects == VALUE and "." not in word:
            frame.add(*CONSTANTS.get(word, (_WORD, word)))
        elif frame.expects == KEY and "." in word and self._aligned(token.start(WORD_TOKEN)):
            self._drop_all()  # the next statement, without its "("
            return token.start(WORD_TOKEN)
        else:
            self._odd_word(frame, word, token.start(WORD_TOKEN))
        return token.end()

    def _odd_word(self, frame: Frame, word: str, at: int) -> None:
        if frame.expects == VALUE:
            message = f'the bare word {describe(word)} may not contain a "."'
            self._faults.syntax(message, at, len(word), 'put text between double quotes: "..."')
            frame.skip()
        elif frame.expects == BINDING:
            self._faults.lacks_symbol(describe(word), at, len(word), f"write :as @{word}")
            frame.expects = KEY
        elif "." in word or word in CONSTANTS or frame.kinds[-1:] == [_WORD]:
            hint = 'text of more than one word goes between double quotes: "..."'
            self._lacks_keyword(frame, describe(word), at, at + len(word), hint)
        else:
            self._faults.syntax(f"the colon before {describe(word)} is missing", at, len(word), f"write :{word}")
            binds = word == "as" and frame.closer == ")"
            frame.key, frame.key_at, frame.expects = word, -1, BINDING if binds else VALUE

    def _integer(self, token: re.Match[str]) -> int:
        return self._number(token, _INTEGER, int(token[INTEGER_TOKEN]))

    def _decimal(self, token: re.Match[str]) -> int:
        return self._number(token, _DECIMAL, Decimal(token[DECIMAL_TOKEN]))

    def _number(self, token: re.Match[str], kind: Kind, value: int | Decimal) -> int:
        frame = self._frames[-1]
        if frame.expects == VALUE:
            frame.add(kind, value)
        else:
            self._misplaced(frame, "a number", token.start(token.lastindex or 0), token.end())
        return token.end()

    def _reference(self, token: re.Match[str]) -> int:
        frame = self._frames[-1]
        if frame.expects == VALUE:
            frame.add(_REFERENCE, token[REFERENCE_TOKEN])
        else:
            self._misplaced(frame, "a reference", token.start(REFERENCE_TOKEN) - 1, token.end())
        return token.end()

    def _comma(self, token: re.Match[str]) -> int:
        frame = self._frames[-1]
        if not frame.comma or (frame.closer != "]" and frame.expects != KEY) or frame.closer == ")":
            hint = "commas may stand after the values of lists and maps, and nowhere else; remove it"
            self._faults.syntax('unexpected ","', token.end() - 1, 1, hint)
        frame.comma = False
        return token.end()

    def _odd(self, token: re.Match[str]) -> int:
        at = token.start(ODD)
        odd = self.lexer.read_odd(token.start(), at)
        frame = self._frames[-1]
        if odd.keyword is not None and frame.closer != "]":
            frame.key, frame.key_at, frame.expects = odd.keyword, -1, VALUE
        elif odd.kind is None:
            frame.verb = frame.verb or ""  # a broken verb is no missing one
            frame.astray = len(frame.values)
            frame.skip()
        elif frame.expects == VALUE:
            frame.add(odd.kind, odd.cell)
        else:
            self._misplaced(frame, f"a {odd.kind.name.lower()}", at, odd.end, str(odd.cell))
        return odd.end

    def _misplaced(self, frame: Frame, what: str, at: int, end: int, text: str = "") -> None:
        """Reports a value where none should be; `what` it is, and its `text` if that is a string."""
        if frame.expects == VERB_FIRST:
            frame.expects, frame.astray = KEY, 0  # that the verb is missing is said when the bracket is closed
        elif frame.expects == BINDING:
            self._faults.lacks_symbol(what, at, end - at, "write :as @name")
            frame.expects = KEY
        elif frame.closer == "}" and what == "a string":
            hint = f"write :{text}" if _NAME.fullmatch(text) else "a keyword is a colon and a name"
            self._faults.syntax("the key of a map is a keyword, found a string", at, end - at, hint)
            frame.key, frame.key_at, frame.expects = text, -1, VALUE
        else:
            self._lacks_keyword(frame, what, at, end)

    def _lacks_keyword(self, frame: Frame, what: str, at: int, end: int, hint: str = "") -> None:
        if frame.astray != len(frame.values):  # once for a row of values
            frame.astray = len(frame.values)
            self._faults.lacks_keyword(what, at, end - at, hint)

    def _check_complete(self, frame: Frame) -> None:
        """Reports a keyword that still waits for its value."""
        if frame.expects == BINDING:
            at = frame.key_at
            self._faults.lacks_symbol("", max(at, frame.start), 3 if at >= 0 else 1, "write :as @name")
        elif frame.expects == VALUE and frame.closer != "]" and frame.key_at >= 0:
            self._faults.lacks_value(frame.key, frame.key_at)

    # Brackets.

    def _bracket(self, token: re.Match[str]) -> int:
        bracket = token[BRACKET]
        at = token.start(BRACKET)
        return self._open(bracket, at) if bracket in CLOSERS else self._close(bracket, at)

    def _open(self, bracket: str, at: int) -> int:
        frames = self._frames
        if len(frames) >= self._limits.nesting:
            return self._too_deep(at)
        indent = self._indent(at) if bracket == "(" else None
        aligned = indent is not None and indent <= self._column
        if aligned and frames[-1].expects == KEY:
            while frames and frames[-1].expects != VALUE:
                self._drop()
            if not frames:
                return at
        parent = frames[-1]
        nestling = aligned or (indent is not None and parent.expects == KEY)
        if parent.expects != VALUE:
            self._misplaced(parent, _NESTED[bracket], at, at + 1)
        frame = Frame(bracket, at, self._faults.count, parent.owner)
        frame.nestling = nestling
        frames.append(frame)
        return at + 1

    def _too_deep(self, at: int) -> int:
        limit = self._limits.nesting
        message, hint = f"nesting is deeper than {limit}", "give the inner statement an :as and use its symbol"
        self._faults.report(DiagnosticCode.TOO_DEEP, message, at, 1, hint)
        end, closed = self._skip_nested(at)
        if not closed:
            self.orphans = [orphan for frame in self._frames for orphan in frame.orphans]
        self._frames.clear()
        return end

    def _skip_nested(self, at: int) -> tuple[int, bool]:
        """Where the statement with the bracket at `at` ends, by counting brackets alone, and whether it is closed."""
        depth = len(self._frames)
        while (found := _NEXT_BRACKETS.match(self._text, at)) is not None:
            start, at = found.span(1)
            if self._text[start] in CLOSERS:
                if _STATEMENT.match(self._text, start) and self._aligned(start):
                    return start, False
                depth += at - start
            elif depth <= at - start:
                return start + depth, True
            else:
                depth -= at - start
        return len(self._text), False

    def _close(self, bracket: str, at: int) -> int:
        frames = self._frames
        if frames[-1].closer != bracket:
            if all(frame.closer != bracket for frame in frames):
                self._faults.stray(bracket, at)
                return at + 1
            while frames[-1].closer != bracket:
                self._report_unclosed(frames.pop(), bracket)
                frames[-1].skip()
        frame = frames.pop()
        self._check_complete(frame)
        if bracket != ")":
            self._pass_up(*frame.collection())
        else:
            self._finish_call(frame, at + 1)
        return at + 1

    def _finish_call(self, frame: Frame, end: int) -> None:
        """Makes a record, or a node, of a call that was closed."""
        if frame.verb is None:
            self._faults.lacks_verb(frame.start, end, empty=frame.astray < 0 and not frame.values)
        if len(frame.values) > self._limits.arguments:
            message = f"{len(frame.values):,} arguments are more than the limit of {self._limits.arguments:,}"
            hint = "split the statement, or pass a list or a map"
            self._faults.report(DiagnosticCode.LIMIT_EXCEEDED, message, frame.start + 1, len(frame.verb or " "), hint)
        if frame.nestling and frame.faults == self._faults.count:
            self._frames[-1].orphans.append(frame.start)
        if self._faults.count > self._mark:
            self._pass_up(None, None)
            return
        record = Record(
            frame.verb or "",
            tuple(frame.values),
            tuple(frame.kinds),
            tuple(frame.values.values()),
            frame.binding,
            frame.bound_at,
            frame.start,
            end,
            frame.children,
        )
        if not self._frames:
            self.records.append(record)
        elif self._lift:
            self._lift_out(record)
        else:
            self._pass_up(None, to_call(record))

    def _lift_out(self, record: Record) -> None:
        index = self.base + len(self.records)
        record.binding = record.binding or f"{RESERVED}{index}"
        self.records.append(record)
        self._frames[-1].owner.children.append(index)
        self._pass_up(_SYMBOL, record.binding)

    def _pass_up(self, kind: Kind | None, cell: Cell) -> None:
        """Hands a value that was read to the bracket around it."""
        if self._frames and self._frames[-1].expects == VALUE:
            self._frames[-1].add(kind, cell)

    def _drop(self) -> None:
        """Gives up the innermost bracket: it is never closed."""
        frame = self._frames.pop()
        self._report_unclosed(frame, "")
        if self._frames:
            self._frames[-1].orphans += frame.orphans
            self._frames[-1].skip()
        else:
            self.orphans = frame.orphans
            if self.orphans:  # statements of their own: that they lack a keyword is not true
                self._faults.retract(self._kept, frozenset(self.orphans))

    def _drop_all(self) -> None:
        while self._frames:
            self._drop()

    def _report_unclosed(self, frame: Frame, before: str) -> None:
        self._faults.unclosed(OPENERS[frame.closer], frame.closer, frame.verb, frame.start, before)

    def _aligned(self, at: int) -> bool:
        indent = self._indent(at)
        return indent is not None and indent <= self._column

    def _indent(self, at: int) -> int | None:
        """How many blanks stand before `at` on its line; None if anything else does."""
        text, start = self._text, at
        while start and text[start - 1] in " \t":
            start -= 1
        return at - start if start == 0 or text[start - 1] == "\n" else None
