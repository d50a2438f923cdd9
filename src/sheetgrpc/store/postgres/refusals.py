"""What a failure of PostgreSQL or of the way to it means to the service: by SQLSTATE and exception type, never by text.

Knows no statement's business; what a failing statement of a sheet is told stands in verbs.py.
"""

import asyncpg

from sheetgrpc.errors import Conflict, Reason
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.waiting import away, busy

_STOPPED = frozenset({"57014", "25P02"})  # canceled; something before it had failed
_REPEATABLE = frozenset({"40001", "40P01"})  # serialization failure, deadlock
# a lock waited for too long; too many connections; no memory or lock slots just now
_BUSY = frozenset({"55P03", "53300", "53200", "53400"})
# Connections, resources, the operator, the system, a standby, a transaction that was idle for too long, corruption.
_AWAY = ("08", "53", "57P", "58", "25006", "25P0", "XX", "28", "3D000")

DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class Repeat(Exception):  # reads as what it is
    """The database undid the transaction so that another could go on: the same again may well succeed."""


def sqlstate(error: BaseException) -> str:
    """The five characters that say what went wrong; "" where the server did not say."""
    return (error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""


def is_lost(error: BaseException) -> bool:
    """True where the connection went away: what the server did of the last statement is not known."""
    if not isinstance(error, asyncpg.PostgresError):
        return True
    return sqlstate(error).startswith(("08", "57P")) or getattr(error, "severity", "") in ("FATAL", "PANIC")


def refusal_of(error: BaseException) -> Exception | None:
    """What a caller is told of a failure of the database; None where the statement itself is wrong."""
    code = sqlstate(error)
    if code in _STOPPED:
        return Interrupted("the statement was stopped")
    if code in _REPEATABLE:
        return Repeat("the transaction made way for another")
    if code in _BUSY:
        return busy()
    if not code or code.startswith(_AWAY):
        return away()
    return None


def conflict() -> Conflict:
    """The refusal of a command that had to make way too often."""
    return Conflict(Reason.CONFLICT, "other commands kept getting in the way of this one; send it again")
