"""Whether the cells of a column fit an argument's type, and what they are when stored; whole columns at a time.

A column that fits pays a few passes of C code. Only where something is wrong are its rows looked at one by one, to say
which and why. Entity arguments, lists and json need more than the value itself; they are in `binding.py`.
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

import msgspec

from sheetgrpc.catalog.model import Argument, Scalar, Type
from sheetgrpc.dsl.columns import Kind
from sheetgrpc.dsl.diagnostics import DiagnosticCode
from sheetgrpc.planning.model import Cell

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TEXT = frozenset({Kind.STRING, Kind.WORD})
_NAMES = {
    Kind.STRING: "a string",
    Kind.INTEGER: "an integer",
    Kind.DECIMAL: "a decimal",
    Kind.BOOLEAN: "a boolean",
    Kind.NIL: "nil",
    Kind.SYMBOL: "the key of a row",
    Kind.REFERENCE: "a reference",
    Kind.WORD: "a word",
    Kind.LIST: "a list",
    Kind.MAP: "a map",
}


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One cell that does not fit: its row in the column, and what to say of it."""

    row: int
    code: DiagnosticCode
    message: str
    hint: str = ""


def is_uuid(text: str) -> bool:
    """True for the form of a UUID, any version, any case."""
    return _UUID.fullmatch(text) is not None


def store_default(value: Scalar) -> Cell:
    """A catalog's scalar as a cell: what the same value would be stored as if a sheet gave it."""
    return decimal_text(value) if isinstance(value, Decimal) else value


def decimal_text(number: Decimal | int) -> str:
    """The canonical text of a number: no exponent, no trailing zeros, no minus zero; equal numbers, equal texts."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def kind_name(kind: Kind) -> str:
    """A kind for people, with its article."""
    return _NAMES[kind]


def accepts(argument: Argument, kind: Kind) -> bool:
    """True where values of this kind may be given to a scalar argument; symbols and nil are judged elsewhere."""
    return kind in _ACCEPTED[argument.type]


def store_cells(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    """The storable cells of an accepted kind, and what is wrong with some (their cell is then None)."""
    return _STORE[argument.type](argument, cells)


def mismatch(argument: Argument, kind: Kind, rows: int) -> list[Problem]:
    """The same mismatch for every row."""
    wanted = argument.entity if argument.type is Type.ENTITY and argument.entity is not None else argument.type.value
    message = f"argument :{argument.name} wants {article(wanted)}, not {_NAMES[kind]}"
    return [Problem(row, DiagnosticCode.TYPE_MISMATCH, message, _hint(argument, kind)) for row in range(rows)]


def article(name: str) -> str:
    """A noun with its article; a "u" is nearly always that of uuid, unit, user."""
    return f"an {name}" if name[0] in "aeio" else f"a {name}"


def _hint(argument: Argument, kind: Kind) -> str:
    if kind in (Kind.INTEGER, Kind.DECIMAL) and argument.type in (Type.STRING, Type.ENUM):
        return "put the value in double quotes"
    if kind in _TEXT and argument.type in (Type.INTEGER, Type.DECIMAL):
        return "write the number without quotes"
    if kind in _TEXT and argument.type is Type.BOOLEAN:
        return "write true or false without quotes"
    if kind is Kind.LIST:
        return "give one value, without brackets"
    if argument.type is Type.LIST:
        return "put the value in brackets: [ ... ]"
    return ""


def _invalid(row: int, message: str, hint: str = "") -> Problem:
    return Problem(row, DiagnosticCode.INVALID_VALUE, message, hint)


def _strings(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    texts: list[str] = list(cells)  # type: ignore[arg-type]  # accepted kinds are str
    problems: list[Problem] = []
    if argument.max_length is not None and texts and max(map(len, texts)) > argument.max_length:
        problems += _lengths(argument, texts, operator.gt, "longer", argument.max_length)
    if argument.min_length is not None and texts and min(map(len, texts)) < argument.min_length:
        problems += _lengths(argument, texts, operator.lt, "shorter", argument.min_length)
    if argument.pattern is not None:
        match = _pattern(argument.pattern)
        if not all(map(match, texts)):
            problems += [
                _invalid(row, f"argument :{argument.name}: {quote(text)} does not match the pattern {argument.pattern}")
                for row, text in enumerate(texts)
                if not match(text)
            ]
    return list(texts), problems


def _lengths(
    argument: Argument, texts: list[str], wrong: Callable[[int, int], bool], word: str, limit: int
) -> Iterable[Problem]:
    return [
        _invalid(row, f"argument :{argument.name} is {word} than {limit} characters: it has {len(text)}")
        for row, text in enumerate(texts)
        if wrong(len(text), limit)
    ]


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).fullmatch


def quote(text: str) -> str:
    """User text in quotes, cut where it is long."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return f'"{shown}"'


def _numbers(argument: Argument, cells: Sequence[object]) -> list[Problem]:
    numbers: list[int | Decimal] = list(cells)  # type: ignore[arg-type]  # accepted kinds are numbers
    problems: list[Problem] = []
    if argument.min is not None and numbers and min(numbers) < argument.min:
        problems += [
            _invalid(row, f"argument :{argument.name} is {decimal_text(number)}, less than {argument.min}")
            for row, number in enumerate(numbers)
            if number < argument.min
        ]
    if argument.max is not None and numbers and max(numbers) > argument.max:
        problems += [
            _invalid(row, f"argument :{argument.name} is {decimal_text(number)}, more than {argument.max}")
            for row, number in enumerate(numbers)
            if number > argument.max
        ]
    return problems


def _integers(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    return list(cells), _numbers(argument, cells)  # type: ignore[arg-type]  # accepted kinds are int


def _decimals(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    return [decimal_text(cell) for cell in cells], _numbers(argument, cells)  # type: ignore[arg-type]  # numbers


def _booleans(_: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    return list(cells), []  # type: ignore[arg-type]  # accepted kinds are bool


def _each(
    argument: Argument, cells: Sequence[object], store: Callable[[str], str | None], wanted: str
) -> tuple[list[Cell], list[Problem]]:
    stored: list[Cell] = [store(cell) for cell in cells]  # type: ignore[arg-type]  # accepted kinds are str
    if None not in stored:
        return stored, []
    return stored, [
        _invalid(row, f"argument :{argument.name}: {quote(str(cells[row]))} is not {wanted}")
        for row, cell in enumerate(stored)
        if cell is None
    ]


def _dates(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    return _each(argument, cells, store_date, "a date such as 2025-01-31")


def store_date(text: str) -> str | None:
    """The text of a calendar date, or None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _timestamps(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    return _each(argument, cells, store_timestamp, "a timestamp such as 2025-01-31T12:00:00Z")


def store_timestamp(text: str) -> str | None:
    """The instant in UTC, `...T..:..:..[.ffffff]Z`; a text without an offset is taken as UTC. None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _uuids(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    return _each(argument, cells, lambda text: text.lower() if is_uuid(text) else None, "a UUID")


def _enums(argument: Argument, cells: Sequence[object]) -> tuple[list[Cell], list[Problem]]:
    spelled = {value.casefold(): value for value in argument.values}
    stored: list[Cell] = [spelled.get(cell.casefold()) for cell in cells]  # type: ignore[attr-defined]  # str
    if None not in stored:
        return stored, []
    allowed = ", ".join(argument.values[:20])
    return stored, [
        _invalid(
            row, f"argument :{argument.name}: {quote(str(cells[row]))} is none of its values", f"use one of {allowed}"
        )
        for row, cell in enumerate(stored)
        if cell is None
    ]


_ACCEPTED: dict[Type, frozenset[Kind]] = {
    Type.STRING: _TEXT,
    Type.INTEGER: frozenset({Kind.INTEGER}),
    Type.DECIMAL: frozenset({Kind.INTEGER, Kind.DECIMAL}),
    Type.BOOLEAN: frozenset({Kind.BOOLEAN}),
    Type.DATE: _TEXT,
    Type.TIMESTAMP: _TEXT,
    Type.UUID: _TEXT,
    Type.ENUM: _TEXT,
    Type.ENTITY: frozenset(),
    Type.JSON: frozenset(),
    Type.LIST: frozenset(),
}

_STORE: dict[Type, Callable[[Argument, Sequence[object]], tuple[list[Cell], list[Problem]]]] = {
    Type.STRING: _strings,
    Type.INTEGER: _integers,
    Type.DECIMAL: _decimals,
    Type.BOOLEAN: _booleans,
    Type.DATE: _dates,
    Type.TIMESTAMP: _timestamps,
    Type.UUID: _uuids,
    Type.ENUM: _enums,
}
