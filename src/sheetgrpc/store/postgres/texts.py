"""How texts and keys are kept in PostgreSQL's columns.

A text cannot hold NUL there, and callers may send one; so NUL is written as two characters, and the one that begins
them as two others: no two texts become one. Keys are JSON texts. Nothing here knows a connection.
"""

from collections.abc import Iterable

import msgspec

from sheetgrpc.planning.model import Key

_ESCAPE = "\x01"
_escaped = str.maketrans({"\0": _ESCAPE + "0", _ESCAPE: _ESCAPE + "1"})
_encode = msgspec.json.Encoder().encode
_key: msgspec.json.Decoder[Key] = msgspec.json.Decoder(Key)


def storable(text: str) -> str:
    """A text as a column keeps it; equal texts alone become equal."""
    return text.translate(_escaped) if "\0" in text or _ESCAPE in text else text


def key_text(key: Key | None) -> str | None:
    """A key as a column keeps it."""
    return _encode(key).decode() if key is not None else None


def key_texts(keys: Iterable[Key | None]) -> list[str | None]:
    """Many keys as a column keeps them."""
    return [_encode(key).decode() if key is not None else None for key in keys]


def read_key(text: str) -> Key:
    """The key that a column keeps."""
    return _key.decode(text)
