"""The shape of the user's tables, as the catalog of the database has it, and how text becomes a value of a column.

Every value goes to PostgreSQL as text and is read there by the column's own type: what the type's input takes, a sheet
can write. Identifiers come from the catalog and are quoted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheetgrpc.catalog.database import Table
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.shapes import quote

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_INTEGERS = {"int2": 15, "int4": 31, "int8": 63}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveColumn:
    """One column: `writes` and `compares` are the types that a text is cast to (see the query `table_columns`)."""

    declared: str
    writes: str
    compares: str
    category: str  # of the type, as PostgreSQL sorts them: S string, N number, B boolean, A array, ...
    base: str  # the type's name, a domain's base
    element: str | None = None  # of an array

    @property
    def is_text(self) -> bool:
        """True where texts are kept as they are given."""
        return self.category == "S"

    @property
    def is_json(self) -> bool:
        """True for json and jsonb."""
        return self.base in ("json", "jsonb")

    @property
    def bits(self) -> int:
        """How large an integer may be; 0 for other types."""
        return _INTEGERS.get(self.base, 0)

    def cast(self, text: str, *, comparing: bool = False) -> str:
        """SQL that makes a value of this column of SQL that is a text."""
        to = self.compares if comparing else self.writes
        if self.category == "A":
            if self.element in ("json", "jsonb"):
                items = f"SELECT value FROM jsonb_array_elements({text}::jsonb)"
            else:
                items = f"SELECT value FROM jsonb_array_elements_text({text}::jsonb)"
            return f"CASE WHEN {text} IS NOT NULL THEN ARRAY({items})::{to} END"
        return text if self.base == "text" and self.writes == "pg_catalog.text" else f"{text}::{to}"

    def differs(self, column: str, text: str) -> str:
        """SQL that is true where the column, given qualified, has not this value."""
        if self.base == "json":  # has no equality of its own
            return f"{column}::jsonb IS DISTINCT FROM {text}::jsonb"
        if self.base in ("xml", "point", "polygon", "path", "line", "box", "lseg", "circle"):
            return f"{column}::text IS DISTINCT FROM {self.cast(text)}::text"
        return f"{column} IS DISTINCT FROM {self.cast(text, comparing=True)}"


def quote_table(name: str) -> str:
    """A table's name in quotes; one with a dot names its schema."""
    return ".".join(map(quote, name.split(".", 1)))


async def read_columns(connection: "Connection", table: str) -> dict[str, LiveColumn]:
    """The columns of a table or view, empty if there is none of that name."""
    rows = await connection.fetch(_SQL["table_columns"], quote_table(table))
    return {
        name: LiveColumn(
            declared=declared, writes=writes, compares=compares, category=category, base=base, element=element
        )
        for name, declared, writes, compares, category, base, element in rows
    }


async def describe_tables(connection: "Connection", tables: list[str]) -> Mapping[str, Table]:
    """The live shape of these tables, by the names asked for; missing ones are left out."""
    found: dict[str, Table] = {}
    for name in tables:
        columns = await read_columns(connection, name)
        if columns:
            declared = {column: live.declared for column, live in columns.items()}
            found[name] = Table(name=name, columns=declared, unique=await _read_unique(connection, name))
    return found


async def _read_unique(connection: "Connection", table: str) -> frozenset[frozenset[str]]:
    indexes: dict[int, set[str | None]] = {}
    for index, column in await connection.fetch(_SQL["unique_columns"], quote_table(table)):
        indexes.setdefault(index, set()).add(column)
    return frozenset(
        frozenset(name for name in columns if name is not None) for columns in indexes.values() if None not in columns
    )
