"""Effects in PostgreSQL: written beside the results of their execution, read by position. Functions of a connection."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.store.base import ConstraintViolated
from sheetgrpc.store.packing import EffectFilter, Piece, admitted, wanted_pieces
from sheetgrpc.store.postgres.refusals import DATABASE_ERRORS, refusal_of, sqlstate
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import ExecutionRow

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_CONSTRAINT = "23"  # the class of SQLSTATEs


async def record_effects(connection: "Connection", execution: ExecutionRow, pieces: Sequence[Piece]) -> None:
    """Writes the pieces of an execution's effects."""
    columns = [piece.first for piece in pieces], [piece.kinds for piece in pieces], [piece.body for piece in pieces]
    await connection.execute(_SQL["add_effects"], execution.id, *columns)


async def read_effects(
    connection: "Connection", execution: ExecutionRow, after: int, limit: int, wanted: EffectFilter
) -> list[tuple[int, RowEffect]]:
    """Effects with their positions, beyond `after`."""
    found: list[tuple[int, RowEffect]] = []
    pieces = [(first, kinds) for first, kinds in await connection.fetch(_SQL["effect_pieces"], execution.id)]
    for first in wanted_pieces(pieces, after, wanted):
        body = await connection.fetchval(_SQL["effects"], execution.id, first)
        found += admitted(first, body, after, wanted)
        if len(found) >= limit:
            break
    return found[:limit]


async def check_deferred(connection: "Connection") -> None:
    """Raises ConstraintViolated where COMMIT would."""
    try:
        await connection.execute(_SQL["check_deferred"])
    except DATABASE_ERRORS as error:
        if refusal_of(error) is not None or not sqlstate(error).startswith(_CONSTRAINT):
            raise
        raise ConstraintViolated("a constraint that is checked when the transaction commits") from error
