"""Look-ups in the user's tables, with the names that the catalog gives them, by the columns' own types.

Identifiers are quoted, values always bound, as texts that are cast to the column's type: what no row can have (a text
that is no UUID, a number too large, a NUL) is left out before. Keys are text or integer, and the two never mixed up.
"""

# the SQL is built from the catalog's identifiers, quoted, and from nothing else

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import asyncpg

from sheetgrpc.catalog.model import Entity, KeyType
from sheetgrpc.planning.model import Key
from sheetgrpc.planning.values import is_uuid
from sheetgrpc.store.postgres.tables import LiveColumn, quote_table
from sheetgrpc.store.records import Candidate
from sheetgrpc.store.shapes import quote

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

Columns = Mapping[str, LiveColumn]

_CHUNK = 10_000  # values a query
_NAMES_A_TEXT = 2
_SCANNED = 200_000  # rows of a table that `similar` looks at
_WORDS = 6
_WORD = re.compile(r"\w+")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


async def find_existing(connection: "Connection", columns: Columns, entity: Entity, keys: Sequence[Key]) -> set[Key]:
    """Which of these keys rows have."""
    wanted = set(keys)
    found: set[Key] = set()
    for part in _parts(_storable_keys(columns[entity.key.column], wanted)):
        query = f"SELECT {_key(entity)} {_matching(columns, entity)}"
        found.update(key for (key,) in await connection.fetch(query, part))
    return found & wanted


async def find_keys(
    connection: "Connection", columns: Columns, entity: Entity, equals: Mapping[str, str], limit: int
) -> list[Key]:
    """Keys of rows whose columns equal these texts, as the columns' types compare; in key order."""
    if not all(map(_is_storable, equals.values())):
        return []
    column = f"t.{quote(entity.key.column)}"
    where = [f"{column} IS NOT NULL"]
    where += [f"t.{quote(name)} = {columns[name].cast(f'${at}::text')}" for at, name in enumerate(equals, 2)]
    order = f'{column} COLLATE "C"' if columns[entity.key.column].is_text else column
    rows = f"FROM {quote_table(entity.table)} AS t WHERE {' AND '.join(where)} ORDER BY {order}"
    query = f"SELECT {_key(entity)} {rows} LIMIT $1"
    try:
        return [key for (key,) in await connection.fetch(query, limit, *equals.values())]
    except asyncpg.DataError:  # a text that the column's type does not take: no row has it
        return []


async def find_named(
    connection: "Connection", columns: Columns, entity: Entity, texts: Sequence[str]
) -> dict[str, list[Key]]:
    """Keys of rows with exactly this text in a search column, at most two a text; texts without a row are left out."""
    wanted = set(texts)
    found: dict[str, set[Key]] = {}
    for part in _parts([text for text in wanted if _is_storable(text)]):
        for name in entity.search:
            rows = await connection.fetch(_naming(columns[name], entity, name), part)
            for text, low, high in rows:
                if text in wanted:  # a column's collation or type may find what only looks like it
                    found.setdefault(text, set()).update((low, high))
    return {text: sorted(keys, key=_sortable)[:_NAMES_A_TEXT] for text, keys in found.items()}


async def find_similar(connection: "Connection", entity: Entity, text: str, limit: int) -> list[Candidate]:
    """Rows with most of the text's words, or words that begin like them, then any others; without a score."""
    words = sorted(dict.fromkeys(_WORD.findall(text.translate(_LOWER))), key=len, reverse=True)[:_WORDS]
    needles = [(needle, weight) for word in words for needle, weight in ((word, 3), (f" {word[:2]}", 1))]
    ranks = [f"(position(${at} IN hay) > 0)::integer * {weight}" for at, (_, weight) in enumerate(needles, 2)]
    rank = " + ".join(ranks) or "NULL::integer"
    hay = "".join(f" || ' ' || coalesce(t.{quote(column)}::text, '')" for column in entity.search)
    # In the collation "C" lower() changes the letters that we change, and no others.
    query = (
        f"SELECT key, display FROM (SELECT {_key(entity)} AS key, {_display(entity)} AS display,"
        f" lower((''{hay}) COLLATE \"C\") AS hay FROM {quote_table(entity.table)} AS t"
        f" WHERE t.{quote(entity.key.column)} IS NOT NULL LIMIT {_SCANNED}) AS pool"
        f" ORDER BY {rank} DESC, key LIMIT $1"
    )
    rows = await connection.fetch(query, limit, *(needle for needle, _ in needles))
    return [Candidate(key, display, 0.0) for key, display in rows]


async def find_displays(
    connection: "Connection", columns: Columns, entity: Entity, keys: Sequence[Key]
) -> dict[Key, str]:
    """The display text of rows; the key's own text where the row or the catalog has none."""
    wanted = set(keys)
    found: dict[Key, str] = {}
    for part in _parts(_storable_keys(columns[entity.key.column], wanted)):
        query = f"SELECT {_key(entity)}, {_display(entity)} {_matching(columns, entity)}"
        found.update((key, display) for key, display in await connection.fetch(query, part) if key in wanted)
    return found


def _key(entity: Entity) -> str:
    column = f"t.{quote(entity.key.column)}"
    return column if entity.key.type is KeyType.INTEGER else f'{column}::text COLLATE "C"'


def _display(entity: Entity) -> str:
    key = f"t.{quote(entity.key.column)}::text"
    return f"coalesce(t.{quote(entity.display)}::text, {key})" if entity.display is not None else key


def _matching(columns: Columns, entity: Entity) -> str:
    column = entity.key.column
    return (
        f"FROM unnest($1::text[]) AS wanted (value) JOIN {quote_table(entity.table)} AS t"
        f" ON t.{quote(column)} = {columns[column].cast('wanted.value')}"
    )


def _naming(column: LiveColumn, entity: Entity, name: str) -> str:
    text = f"t.{quote(name)}::text"
    key = _key(entity)
    where = f"t.{quote(name)} = ANY($1::text[])" if column.is_text else f"{text} = ANY($1::text[])"
    return (
        f'SELECT {text} COLLATE "C", min({key}), max({key}) FROM {quote_table(entity.table)} AS t'
        f" WHERE {where} AND t.{quote(entity.key.column)} IS NOT NULL GROUP BY 1"
    )


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    for first in range(0, len(values), _CHUNK):
        yield values[first : first + _CHUNK]


def _storable_keys(column: LiveColumn, keys: Iterable[Key]) -> list[str]:
    """As texts, without what no row can have; an integer is never looked for among texts, nor the other way round."""
    if column.bits:
        limit = 2**column.bits
        return [str(key) for key in keys if isinstance(key, int) and -limit <= key < limit]
    texts = [key for key in keys if isinstance(key, str) and _is_storable(key)]
    return [text for text in texts if is_uuid(text)] if column.base == "uuid" else texts


def _is_storable(text: str) -> bool:
    """False for a lone surrogate or a NUL."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _sortable(key: Key) -> tuple[bool, Key]:
    return isinstance(key, str), key
