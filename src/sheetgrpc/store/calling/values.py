"""Values between a handler and the database: cells of a plan as Python's types, and Python's types as cells."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from sheetgrpc.catalog.model import Argument, Entity, KeyType, Type
from sheetgrpc.planning.model import Cell, Key
from sheetgrpc.planning.values import decimal_text, is_uuid, store_timestamp

_BITS = 63
_encode = msgspec.json.Encoder(decimal_format="number").encode


def reader_of(argument: Argument) -> Callable[[Cell], Any]:
    """What makes of a cell the value that a handler gets."""
    if argument.type is Type.LIST:
        item = _READ.get(argument.of or Type.STRING, _as_is)
        return lambda cell: None if cell is None else [_read(item, one) for one in msgspec.json.decode(str(cell))]
    read = _READ.get(argument.type, _as_is)
    return lambda cell: _read(read, cell)


def cell_of(value: object) -> Cell:
    """A handler's value as a cell. Raises ValueError where it cannot be one."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if value.bit_length() > _BITS:
            raise ValueError(f"the integer {value} has more than 64 bits")
        return value
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no number that can be stored")
        return decimal_text(value)
    if isinstance(value, datetime):
        return store_timestamp(value.isoformat())
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (Mapping, Sequence)) and not isinstance(value, (bytes, bytearray, memoryview)):
        return _tree_of(value)
    raise ValueError(f"a {type(value).__name__} cannot be stored; of numbers, int and Decimal can")


def key_of(entity: Entity, value: object) -> Key | None:
    """What a handler answered as a key of this entity; None where it is none."""
    if entity.key.type is KeyType.INTEGER:
        fits = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _BITS
        return value if fits and isinstance(value, int) else None
    text = str(value) if isinstance(value, UUID) else value
    if not isinstance(text, str) or not text:
        return None
    if entity.key.type is KeyType.UUID:
        return text.lower() if is_uuid(text) else None
    return text


def _tree_of(value: object) -> str:
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("a value cannot be written as JSON") from error


def _read(read: Callable[[Any], object], cell: object) -> object:
    return None if cell is None else read(cell)


def _as_is(cell: object) -> object:
    return cell


_READ: Mapping[Type, Callable[[Any], object]] = {
    Type.DECIMAL: lambda cell: Decimal(str(cell)),
    Type.BOOLEAN: bool,
    Type.DATE: date.fromisoformat,
    Type.TIMESTAMP: datetime.fromisoformat,
    Type.JSON: msgspec.json.decode,
}
