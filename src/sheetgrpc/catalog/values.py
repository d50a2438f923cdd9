"""What a plain literal means for an argument: its type, its form, its limits.

For the values that a catalog itself holds: defaults, conditions. Sheets are judged by whole columns in planning, by the
same rules. Knows nothing of symbols, references, lists and maps, nor of how a database stores a value.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

from sheetgrpc.catalog.model import Argument, KeyType, Scalar, Type

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_KEY_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


class UnfitError(ValueError):
    """A value that its argument does not take. The text says why, for a person, without naming the argument."""


def admit(argument: Argument, value: Scalar) -> Scalar:
    """The value as `argument` means it; None passes.

    Numbers of a decimal become Decimal, enums are spelled as the catalog spells them, uuids lower case, dates and
    timestamps ISO 8601 text (timestamps in UTC; without an offset they are taken as UTC). An entity argument takes any
    string or integer here: whether it is a key depends on the entity (`read_key`). Json and list take none.

    Raises:
        UnfitError: wrong type, or outside values, min, max, min_length, max_length or pattern.
    """
    if value is None:
        return None
    match argument.type:
        case Type.STRING:
            return _string(argument, value)
        case Type.INTEGER | Type.DECIMAL:
            return _number(argument, value)
        case Type.BOOLEAN if isinstance(value, bool):
            return value
        case Type.DATE:
            return _date(value)
        case Type.TIMESTAMP:
            return _timestamp(value)
        case Type.UUID:
            return _uuid(value)
        case Type.ENUM:
            return _enum(argument, value)
        case Type.ENTITY if isinstance(value, str | int) and not isinstance(value, bool):
            return value
        case kind:
            raise UnfitError(f"{show(value)} is not {article(kind)}")


def read_key(kind: KeyType, value: Scalar) -> str | int | None:
    """The key that `value` spells, or None where it has not the form of such a key. Any string is a string key."""
    if isinstance(value, bool):
        return None
    if kind is KeyType.INTEGER:
        return _integer_key(value)
    if not isinstance(value, str):
        return None
    if kind is KeyType.STRING:
        return value
    return value.lower() if _UUID.fullmatch(value) else None


def show(value: Scalar) -> str:
    """A value as a message quotes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else str(value)


def article(kind: Type) -> str:
    """A type as a sentence names it: "a date", "an integer"."""
    return f"{'an' if kind.value[0] in 'aeio' else 'a'} {kind.value}"


def _string(argument: Argument, value: Scalar) -> str:
    if not isinstance(value, str):
        raise UnfitError(f"{show(value)} is not a string; put it in quotes")
    if argument.min_length is not None and len(value) < argument.min_length:
        raise UnfitError(f"{show(value)} is shorter than min_length {argument.min_length:,}")
    if argument.max_length is not None and len(value) > argument.max_length:
        raise UnfitError(f"{len(value):,} characters are more than max_length {argument.max_length:,}")
    if argument.pattern is not None and not re.fullmatch(argument.pattern, value):
        raise UnfitError(f'{show(value)} does not match the pattern "{argument.pattern}"')
    return value


def _number(argument: Argument, value: Scalar) -> int | Decimal:
    number = _integer(value) if argument.type is Type.INTEGER else _decimal(value)
    if argument.min is not None and number < argument.min:
        raise UnfitError(f"{number} is below min {argument.min}")
    if argument.max is not None and number > argument.max:
        raise UnfitError(f"{number} is above max {argument.max}")
    return number


def _integer(value: Scalar) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnfitError(f"{show(value)} is not an integer")
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise UnfitError(f"{value} does not fit into 64 bits")
    return value


def _decimal(value: Scalar) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnfitError(f"{show(value)} is not a decimal")
    return Decimal(value)


def _date(value: Scalar) -> str:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise UnfitError(f"{show(value)} is not a date such as 2024-01-31")


def _timestamp(value: Scalar) -> str:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            return utc.replace(tzinfo=None).isoformat() + "Z"
        except (ValueError, OverflowError):
            pass
    raise UnfitError(f"{show(value)} is not a timestamp such as 2024-01-31T09:30:00Z")


def _uuid(value: Scalar) -> str:
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value.lower()
    raise UnfitError(f"{show(value)} is not a uuid")


def _enum(argument: Argument, value: Scalar) -> str:
    folded = value.casefold() if isinstance(value, str) else None
    for known in argument.values:
        if known.casefold() == folded:
            return known
    raise UnfitError(f"{show(value)} is not one of {', '.join(argument.values)}")


def _integer_key(value: Scalar) -> int | None:
    if isinstance(value, str) and _KEY_INTEGER.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and INTEGER_MIN <= value <= INTEGER_MAX else None
