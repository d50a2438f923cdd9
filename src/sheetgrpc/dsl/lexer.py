"""The tokens of a sheet: one regular expression for what is well formed, and slow, careful words for what is not.

`TOKEN` skips blanks and comments and matches one token; the group that matched tells its kind. What is rare or wrong
(escapes, strings over several lines, malformed numbers, control characters) falls to its last group and is read by
`Lexer.read_odd`, which reports what is wrong and says where reading goes on. Nothing here knows statements.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from sheetgrpc.dsl.columns import Cell, Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode

IDENT: Final = r"[A-Za-z_][A-Za-z0-9_-]*+"
SPACE: Final = r"[ \t\r\n]"
VERB: Final = rf"{IDENT}(?:\.{IDENT})++"
SYMBOL: Final = r"[A-Za-z0-9_][A-Za-z0-9_-]*+"
# What a string on one line may hold as it is: no quote, no backslash, no control character but the tab.
PLAIN: Final = r'[^"\\\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*+'
PLAIN_REFERENCE: Final = r"[^<>\\\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]++"
INTEGER: Final = r"[+-]?+[0-9]{1,18}+"  # longer ones need a look at their range
DECIMAL: Final = r"[+-]?+[0-9]++\.[0-9]++"

_SKIP: Final = r"(?:[ \t\r\n]++|;[^\n\x00]*+)*+"  # NUL cannot be stored in a sheet, so not in its comments either
END: Final = r'(?![^ \t\r\n()\[\]{}",;<])'  # a bare token is a whole run: "foo@bar" is not a word and a symbol

SKIP: Final = re.compile(_SKIP)
TOKEN: Final = re.compile(
    rf"""{_SKIP}(?::({IDENT}){END}|"({PLAIN})"|@({SYMBOL}){END}|([()\[\]{{}}])|({IDENT}(?:\.{IDENT})*+){END}"""
    rf"""|({INTEGER}){END}|({DECIMAL}){END}|<({PLAIN_REFERENCE})>|(,)|((?s:.)))"""
)
# The groups of TOKEN.
KEYWORD, STRING_TOKEN, SYMBOL_TOKEN, BRACKET, WORD_TOKEN, INTEGER_TOKEN, DECIMAL_TOKEN, REFERENCE_TOKEN, COMMA, ODD = (
    range(1, 11)
)

CONSTANTS: Final[dict[str, tuple[Kind, bool | None]]] = {
    "true": (Kind.BOOLEAN, True),
    "false": (Kind.BOOLEAN, False),
    "nil": (Kind.NIL, None),
}
RESERVED: Final = "__"  # names that begin so are the server's

_BARE = re.compile(r'[^ \t\r\n()\[\]{}",;<]*+')
_QUOTED = re.compile(r'"((?:[^"\\]++|\\(?s:.))*+)"')
_ANGLED = re.compile(r"<((?:[^<>\\\n]++|\\[^\n])*+)>")
_LINE = re.compile(r"[^\n]*+")
_AFTER_LINES = frozenset(" \t\r\n)]},;")
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONTROLS = re.compile(CONTROL.pattern + "++")
_ESCAPE = re.compile(
    r"\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\([\"\\nrt])|\\(?s:.)"
)
_PLAIN_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_NUMBER = re.compile(r"[+-]?\.?[0-9]")
_WHOLE = re.compile(r"([+-]?)0*([0-9]+)")
_EXPONENT = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


class Odd(NamedTuple):
    """A token that `TOKEN` could not read. `kind` is None for no value; `keyword` is what a malformed one meant."""

    kind: Kind | None
    cell: Cell
    end: int
    keyword: str | None = None


Report = Callable[[DiagnosticCode, str, int, int, str], None]  # code, message, offset, length, hint


def describe(text: str) -> str:
    """`text` in quotes for a message, on one line, cut to a readable length."""
    shown = " ".join(text[:200].split()) if "\n" in text else text
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    return '"' + CONTROL.sub("\N{REPLACEMENT CHARACTER}", shown) + '"'


class Lexer:
    """Reads the odd tokens of one text; `report` hears what is wrong with them."""

    def __init__(self, text: str, report: Report) -> None:
        self._text = text
        self._report = report
        self._searched_from = self._closing_quote = -1

    def read_odd(self, gap: int, at: int) -> Odd:
        """The token at `at`, which `TOKEN` matched with ODD; `gap` is where the blanks before it begin."""
        first = self._text[at]
        if first == '"':
            return self._string(at)
        if first == "<":
            return self._reference(at)
        if CONTROL.match(first):
            return self._control(gap, at)
        if _NUMBER.match(self._text, at):
            return self._number(at)
        return self._bare(at)

    def _string(self, at: int) -> Odd:
        end = self._string_end(at)
        if end < 0:
            return self._cut_off(at, "the string is not terminated", 'add the closing "')
        body = self._unescape(at + 1, end - 1)
        return Odd(None, None, end) if body is None else Odd(Kind.STRING, body, end)

    def _string_end(self, at: int) -> int:
        """Where the string at `at` ends, or -1.

        A string over several lines counts only if a blank, comma or closing bracket follows it: otherwise its closing
        quote is more likely the opening one of the next string, and this string lacks its own.
        """
        text = self._text
        # All strings that begin between a quote and the one that closes it have the same closing one: search once.
        if not self._searched_from < at < self._closing_quote:
            found = _QUOTED.match(text, at)
            self._searched_from, self._closing_quote = at, found.end() - 1 if found else len(text)
        close = self._closing_quote
        if close >= len(text):
            return -1
        follows = text[close + 1 : close + 2]
        if text.find("\n", at, close) >= 0 and follows and follows not in _AFTER_LINES:
            return -1
        return close + 1

    def _reference(self, at: int) -> Odd:
        found = _ANGLED.match(self._text, at)
        if found is None:
            return self._cut_off(at, 'the "<" of an entity reference is not closed', 'write <name> or "name"')
        if not found[1]:
            self._syntax("an entity reference needs a text", at, 2, 'write <name> or "name"')
            return Odd(None, None, found.end())
        body = self._unescape(at + 1, found.end() - 1)
        return Odd(None, None, found.end()) if body is None else Odd(Kind.REFERENCE, body, found.end())

    def _cut_off(self, at: int, message: str, hint: str) -> Odd:
        """Ends what is unterminated at the end of its line, before the brackets that close the line."""
        found = _LINE.match(self._text, at)
        line = found[0] if found else ""
        length = max(len(line.rstrip(" \t\r)]}")), 1)
        self._syntax(message, at, length, hint)
        return Odd(None, None, at + length)

    def _unescape(self, start: int, end: int) -> str | None:
        raw = self._text[start:end]
        good = True
        for control in CONTROL.finditer(raw):
            self._control_character(start + control.start())
            good = False
        if "\\" not in raw:
            return raw if good else None
        pieces: list[str] = []
        at = 0
        for escape in _ESCAPE.finditer(raw):
            value = _escaped(escape)
            if value is None:
                message, hint = _escape_fault(escape)
                self._syntax(message, start + escape.start(), len(escape[0]), hint)
                good = False
                continue
            pieces += raw[at : escape.start()], value
            at = escape.end()
        return "".join([*pieces, raw[at:]]) if good else None

    def _control(self, gap: int, at: int) -> Odd:
        run = _CONTROLS.match(self._text, at)
        after = run.end() if run else at + 1
        self._control_character(at, after - at)
        commented = ";" in self._text[gap:at].rpartition("\n")[2]
        found = _LINE.match(self._text, at) if commented else None
        return Odd(None, None, found.end() if found else after)

    def _control_character(self, at: int, length: int = 1) -> None:
        number = ord(self._text[at])
        what = "a lone surrogate" if number >= 0xD800 else "a control character"
        hint = f"write \\u{number:04X} inside a string, or remove it" if number < 0xD800 else "remove it"
        self._syntax(f"{what} (U+{number:04X}) may not stand here", at, length, hint)

    def _number(self, at: int) -> Odd:
        run = self._run(at)
        end = at + len(run)
        whole = _WHOLE.fullmatch(run)
        if whole is None:
            self._syntax(f"malformed number {describe(run)}", at, len(run), _number_hint(run))
            return Odd(None, None, end)
        digits = whole[2]
        value = int(whole[1] + digits) if len(digits) <= 19 else _HIGHEST + 1
        if not _LOWEST <= value <= _HIGHEST:
            message = f"the integer {describe(run)} does not fit into 64 bits"
            self._syntax(message, at, len(run), "write it as a string")
            return Odd(None, None, end)
        return Odd(Kind.INTEGER, value, end)

    def _bare(self, at: int) -> Odd:
        run = self._run(at)
        end = at + len(run)
        if run.startswith(":"):
            hint = "a keyword is a colon and a name: a letter or _, then letters, digits, _ and -"
            self._syntax(f"malformed keyword {describe(run)}", at, len(run), hint)
            return Odd(None, None, end, run[1:])
        if run.startswith("@"):
            hint = "a symbol is @ and letters, digits, _ and -"
            self._syntax(f"malformed symbol {describe(run)}", at, len(run), hint)
        else:
            self._syntax(f"unexpected text {describe(run)}", at, len(run), 'put text between double quotes: "..."')
        return Odd(None, None, end)

    def _run(self, at: int) -> str:
        found = _BARE.match(self._text, at)
        return (found[0] if found else "") or self._text[at]

    def _syntax(self, message: str, at: int, length: int, hint: str) -> None:
        self._report(DiagnosticCode.SYNTAX_ERROR, message, at, length, hint)


class Token(NamedTuple):
    """A token with its place, for those who read a statement again; `kind` is a group of TOKEN, never ODD."""

    kind: int
    text: str
    start: int
    end: int


_TOKENS = {Kind.STRING: STRING_TOKEN, Kind.REFERENCE: REFERENCE_TOKEN, Kind.INTEGER: INTEGER_TOKEN}
_SIGILS = {KEYWORD: 1, STRING_TOKEN: 1, SYMBOL_TOKEN: 1, REFERENCE_TOKEN: 1}


def read_tokens(text: str, start: int, end: int) -> list[Token]:
    """The tokens of `text[start:end]`, which must be well formed; ValueError if it is not."""
    tokens: list[Token] = []
    lexer = Lexer(text, _refuse)
    while (match := TOKEN.match(text, start, end)) is not None:
        kind = match.lastindex or ODD
        at = match.start(kind)
        if kind == ODD:
            odd = lexer.read_odd(match.start(), at)
            if odd.kind is None:
                raise ValueError("the text has syntax errors")
            tokens.append(Token(_TOKENS[odd.kind], text[at : odd.end], at, odd.end))
        else:
            tokens.append(Token(kind, match[kind], at - _SIGILS.get(kind, 0), match.end()))
        start = tokens[-1].end
    return tokens


def _refuse(code: DiagnosticCode, message: str, offset: int, length: int, hint: str) -> None:
    del code, length, hint
    raise ValueError(f"{message} at {offset}")


def _escaped(escape: re.Match[str]) -> str | None:
    """What one escape stands for; None if it stands for nothing."""
    high, low, single, plain = escape.groups()
    if plain:
        return _PLAIN_ESCAPES[plain]
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    if single and not 0xD800 <= int(single, 16) <= 0xDFFF:
        return chr(int(single, 16))
    return None


def _escape_fault(escape: re.Match[str]) -> tuple[str, str]:
    if escape[3]:
        hint = "characters beyond U+FFFF are two \\u escapes, high surrogate first, or the character itself"
        return f"the escape {describe(escape[0])} is half a surrogate pair", hint
    return f"unknown escape {describe(escape[0])}", 'the escapes are \\" \\\\ \\n \\r \\t and \\u with four hex digits'


def _number_hint(run: str) -> str:
    if _EXPONENT.fullmatch(run):
        return "exponents are not allowed: write the number out"
    if _DATE.match(run):
        return 'put dates between quotes: "..."'
    return "a number is digits, or digits, one point, digits; put other text between quotes"
