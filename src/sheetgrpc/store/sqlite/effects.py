"""Effects in SQLite: written beside the results of their execution, read by position. Functions of a connection."""

import sqlite3
from collections.abc import Sequence

from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.store.base import ConstraintViolated
from sheetgrpc.store.packing import EffectFilter, Piece, admitted, wanted_pieces
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import ExecutionRow

_SQL = load_queries("sqlite")


def record_effects(connection: sqlite3.Connection, execution: ExecutionRow, pieces: Sequence[Piece]) -> None:
    """Writes the pieces of an execution's effects."""
    rows = [(execution.number, piece.first, piece.kinds, piece.body) for piece in pieces]
    connection.executemany(_SQL["add_effects"], rows)


def read_effects(
    connection: sqlite3.Connection, execution: ExecutionRow, after: int, limit: int, wanted: EffectFilter
) -> list[tuple[int, RowEffect]]:
    """Effects with their positions, beyond `after`."""
    found: list[tuple[int, RowEffect]] = []
    pieces = connection.execute(_SQL["effect_pieces"], {"execution": execution.number}).fetchall()
    for first in wanted_pieces(pieces, after, wanted):
        piece = {"execution": execution.number, "first": first}
        (body,) = connection.execute(_SQL["effects"], piece).fetchone()
        found += admitted(first, body, after, wanted)
        if len(found) >= limit:
            break
    return found[:limit]


def check_deferred(connection: sqlite3.Connection) -> None:
    """Raises ConstraintViolated where COMMIT would. Reads the whole of each table that has such a constraint."""
    for (name,) in connection.execute(_SQL["deferring_tables"]).fetchall():
        if connection.execute(_SQL["broken_key_of_table"], {"name": name}).fetchone() is not None:
            raise ConstraintViolated(f"a foreign key of {name}")
