"""Look-ups in the user's tables, with the names that the catalog gives them.

Identifiers are quoted and always qualified (SQLite takes an unknown bare "name" for a string), values are always bound.
Answers come back as one JSON array a query: SQLite gives up Python's lock at every row, and a thread that has to get it
back a hundred thousand times beside a busy loop takes minutes. Keys are text or integer, and the two never mixed up.
"""

# the SQL is built from the catalog's identifiers, quoted, and from nothing else

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from sheetgrpc.catalog.model import Entity, KeyType
from sheetgrpc.planning.model import Key
from sheetgrpc.store.records import Candidate
from sheetgrpc.store.shapes import quote

_MANY = "json_each(?)"
_ONE = "(SELECT 0 AS key, ? AS value)"
_CHUNK = 10_000  # values a query: a megabyte or so of JSON
_NAMES_A_TEXT = 2
_SCANNED = 200_000  # rows of a table that `similar` looks at
_WORDS = 6
_WORD = re.compile(r"\w+")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


_keys = msgspec.json.Decoder(list[Key])
_displays = msgspec.json.Decoder(list[tuple[Key, str]])
_names = msgspec.json.Decoder(list[tuple[str, Key, Key]])


def find_existing(connection: sqlite3.Connection, entity: Entity, keys: Sequence[Key]) -> set[Key]:
    """Which of these keys rows have."""
    wanted = set(keys)
    found: set[Key] = set()
    for source, value in _sources(wanted):
        query = f"SELECT {_key(entity)} AS key {_matching(entity, source)}"
        found.update(_keys.decode(_array(connection, "key", query, [value])))
    return found & wanted


def find_keys(connection: sqlite3.Connection, entity: Entity, equals: Mapping[str, str], limit: int) -> list[Key]:
    """Keys of rows whose columns equal these texts, as the columns' types compare; in key order."""
    texts = list(equals.values())
    if len(_storable(texts)) < len(texts):
        return []
    column = f"t.{quote(entity.key.column)}"
    where = " AND ".join([f"{column} IS NOT NULL", *(f"t.{quote(name)} = ?" for name in equals)])
    query = f"SELECT {_key(entity)} AS key FROM {quote(entity.table)} AS t WHERE {where} ORDER BY {column} LIMIT ?"
    return _keys.decode(_array(connection, "key", query, [*texts, limit]))


def find_named(connection: sqlite3.Connection, entity: Entity, texts: Sequence[str]) -> dict[str, list[Key]]:
    """Keys of rows with exactly this text in a search column, at most two a text; texts without a row are left out."""
    wanted = set(texts)
    found: dict[str, set[Key]] = {}
    for source, value in _sources(wanted):
        for column in entity.search:
            rows = _array(connection, "json_array(text, low, high)", _naming(entity, column, source), [value])
            for text, low, high in _names.decode(rows):
                if text in wanted:  # a column's collation or type may find what only looks like it
                    found.setdefault(text, set()).update((low, high))
    return {text: sorted(keys, key=_sortable)[:_NAMES_A_TEXT] for text, keys in found.items()}


def find_similar(connection: sqlite3.Connection, entity: Entity, text: str, limit: int) -> list[Candidate]:
    """Rows with most of the text's words, or words that begin like them, then any others; without a score."""
    words = sorted(dict.fromkeys(_WORD.findall(text.translate(_LOWER))), key=len, reverse=True)[:_WORDS]
    needles = [(needle, weight) for word in words for needle, weight in ((word, 3), (f" {word[:2]}", 1))]
    rank = " + ".join(f"(instr(hay, ?) > 0) * {weight}" for _, weight in needles) or "NULL"
    columns = "".join(f" || ' ' || coalesce(t.{quote(column)}, '')" for column in entity.search)
    # The LIMIT within also keeps SQLite from working `hay` out again for every needle.
    query = (
        f"SELECT key, display FROM (SELECT {_key(entity)} AS key, {_display(entity)} AS display,"
        f" lower(''{columns}) AS hay FROM {quote(entity.table)} AS t"
        f" WHERE t.{quote(entity.key.column)} IS NOT NULL LIMIT {_SCANNED})"
        f" ORDER BY {rank} DESC, key LIMIT ?"
    )
    values = [*(needle for needle, _ in needles), limit]
    rows = _displays.decode(_array(connection, "json_array(key, display)", query, values))
    return [Candidate(key, display, 0.0) for key, display in rows]


def find_displays(connection: sqlite3.Connection, entity: Entity, keys: Sequence[Key]) -> dict[Key, str]:
    """The display text of rows; the key's own text where the row or the catalog has none."""
    wanted = set(keys)
    found: dict[Key, str] = {}
    for source, value in _sources(wanted):
        query = f"SELECT {_key(entity)} AS key, {_display(entity)} AS display {_matching(entity, source)}"
        rows = _displays.decode(_array(connection, "json_array(key, display)", query, [value]))
        found.update((key, display) for key, display in rows if key in wanted)
    return found


def _key(entity: Entity) -> str:
    column = f"t.{quote(entity.key.column)}"
    return column if entity.key.type is KeyType.INTEGER else f"CAST({column} AS text)"


def _display(entity: Entity) -> str:
    key = f"CAST(t.{quote(entity.key.column)} AS text)"
    return f"coalesce(CAST(t.{quote(entity.display)} AS text), {key})" if entity.display is not None else key


def _matching(entity: Entity, source: str) -> str:
    # CROSS JOIN is SQLite's word for "in this order": the values, then the key's index.
    return (
        f"FROM {source} AS wanted CROSS JOIN {quote(entity.table)} AS t ON t.{quote(entity.key.column)} = wanted.value"
    )


def _naming(entity: Entity, column: str, source: str) -> str:
    # IN uses an index on the column if there is one; if not, one pass over the table looks every row up in the texts.
    name, key = f"t.{quote(column)}", _key(entity)
    return (
        f"SELECT CAST({name} AS text) AS text, min({key}) AS low, max({key}) AS high FROM {quote(entity.table)} AS t"
        f" WHERE {name} IN (SELECT value FROM {source}) AND {key} IS NOT NULL GROUP BY 1"
    )


def _sources(values: Iterable[Key]) -> Iterator[tuple[str, Key]]:
    """What to select from and bind for all of these values: JSON for most, one by one where JSON will not do."""
    plain: list[Key] = []
    odd: list[Key] = []
    for value in _storable(values):
        # SQLite reads a text out of JSON up to its first NUL only.
        (odd if isinstance(value, str) and "\0" in value else plain).append(value)
    for first in range(0, len(plain), _CHUNK):
        yield _MANY, msgspec.json.encode(plain[first : first + _CHUNK]).decode()
    for value in odd:
        yield _ONE, value


def _storable(values: Iterable[Key]) -> list[Key]:
    """Without what no row can have: lone surrogates, integers beyond 64 bit."""
    return [value for value in values if _is_storable(value)]


def _is_storable(value: Key) -> bool:
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _array(connection: sqlite3.Connection, item: str, query: str, values: Sequence[Key]) -> str:
    whole = f"SELECT CAST(json_group_array({item}) AS blob) FROM ({query})"
    (array,) = connection.execute(whole, values).fetchone()
    return str(array, "utf-8", "replace")  # a foreign table may hold text that is none


def _sortable(key: Key) -> tuple[bool, Key]:
    return isinstance(key, str), key
