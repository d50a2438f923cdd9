"""Prints trees as text that parses to the same trees. Nothing is put into text but through here.

Strings and references keep every character: quotes, backslashes, line ends, control characters and characters that
would disorder the text on a screen are escaped. Nothing recurses.
"""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from sheetgrpc.dsl.ast import Call, List, Map, Reference, Symbol, Value, Word
from sheetgrpc.dsl.lexer import CONSTANTS, IDENT

# Quote and backslash; control characters; line, direction and byte order marks; lone surrogates.
_SPECIAL: Final = r'"\\\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff'
_UNSAFE = re.compile(rf"[{_SPECIAL}]")
_UNSAFE_REFERENCE = re.compile(rf"[{_SPECIAL}<>]")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORD = re.compile(IDENT)


class _Raw:
    """Text that is printed as it is, among values that are still to be printed."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


_COMMA = _Raw(", ")


def print_sheet(calls: Iterable[Call]) -> str:
    """One statement a line, each line ended. Raises ValueError for what the language has no text for (see below)."""
    return "".join([print_call(call) + "\n" for call in calls])


def print_call(call: Call) -> str:
    """A statement on one line. Raises ValueError for a decimal that is no number and for an empty reference."""
    pieces = [f"({call.verb}"]
    for argument in call.arguments:
        pieces.append(f" :{argument.name} ")
        printer = _SCALARS.get(type(argument.value))
        if printer is not None:
            pieces.append(printer(argument.value))
        else:
            _print_nested(argument.value, pieces)
    pieces.append(_binding(call))
    return "".join(pieces)


def _binding(call: Call) -> str:
    return ")" if call.binding is None else f" :as @{call.binding})"


def _print_nested(value: Value, pieces: list[str]) -> None:
    todo: list[Value | _Raw] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, _Raw):
            pieces.append(item.text)
        elif isinstance(item, List):
            pieces.append("[")
            todo.append(_Raw("]"))
            _push([[each] for each in item.items], todo)
        elif isinstance(item, Map):
            pieces.append("{")
            todo.append(_Raw("}"))
            _push([[_Raw(f":{key} "), each] for key, each in item.items], todo)
        elif isinstance(item, Call):
            pieces.append(f"({item.verb}")
            todo.append(_Raw(_binding(item)))
            for argument in reversed(item.arguments):
                todo += argument.value, _Raw(f" :{argument.name} ")
        else:
            pieces.append(_SCALARS[type(item)](item))


def _push(entries: list[list[Value | _Raw]], todo: list[Value | _Raw]) -> None:
    """Puts entries on the stack, commas between them, so that the first comes off first."""
    for place in range(len(entries) - 1, -1, -1):
        todo += reversed(entries[place])
        if place:
            todo.append(_COMMA)


def _string(text: str) -> str:
    return f'"{_UNSAFE.sub(_escape, text)}"'


def _reference(reference: Reference) -> str:
    if not reference.text:
        raise ValueError("an entity reference needs a text")
    return f"<{_UNSAFE_REFERENCE.sub(_escape, reference.text)}>"


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04X}"


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is no number the language can write")
    text = format(value, "f")
    return text if "." in text else text + ".0"


def _word(word: Word) -> str:
    """A word that would read as something else prints as the string it means."""
    bare = _WORD.fullmatch(word.text) and word.text not in CONSTANTS
    return word.text if bare else _string(word.text)


# Each printer gets values of its key's type only.
_SCALARS: Final[dict[type, Callable[..., str]]] = {
    str: _string,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "nil",
    Decimal: _decimal,
    Symbol: lambda symbol: f"@{symbol.name}",
    Reference: _reference,
    Word: _word,
}
