"""A database with many sessions, written by the store's own functions in one transaction: as real as any other."""

import sqlite3
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from tests.bench.sheets import SCHEMA

from sheetgrpc.clock import Draw, Draws
from sheetgrpc.session import commands
from sheetgrpc.session.events import Event
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.session.model import Client, Scope, Session
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.records import Changes, ScopeRow
from sheetgrpc.store.sqlite.changes import commit, write_changes

SCOPED_EVERY = 100
_DIGEST = "0" * 64
_START = 1_790_000_000_000_000  # microseconds: the sessions are a millisecond apart


async def fill(file: Path, sessions: int) -> None:
    """Makes the database. Session n has the label `label-n`; one in a hundred has a scope, the others are EMPTY."""
    await (await open_store(f"sqlite:///{file}")).close()
    draws = Draws(now=count(_START, 1000).__next__)
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executescript(SCHEMA)
    connection.execute("PRAGMA cache_size = -262144")
    connection.execute("BEGIN IMMEDIATE")
    for number in range(sessions):
        write_changes(connection, make_session(draws.draw(), number), 0)
    commit(connection)
    connection.close()


def make_session(draw: Draw, number: int) -> Changes:
    """What CreateSession writes, and SetScope for one in a hundred."""
    create = commands.CreateSession(
        name=f"Session {number}", client=Client("bench", "1", "sheetgrpc"), labels=(f"label-{number}",)
    )
    events = list(decide(None, create, draw, catalog_digest=_DIGEST))
    session = _fold(None, events)
    if number % SCOPED_EVERY:
        return Changes(session=session, events=tuple(events), created=True)
    scope = Scope(draw.id, "client", 1, "ids(1)")
    more = decide(session, commands.SetScope(scope=scope), draw, catalog_digest=_DIGEST)
    row = ScopeRow(scope.id, session.id, scope.entity_type, scope.source, ("01970000-0000-7000-8000-000000000000",))
    return Changes(session=_fold(session, more), events=(*events, *more), created=True, scope=row)


def _fold(session: Session | None, events: Iterable[Event]) -> Session:
    for event in events:
        session = evolve(session, event)
    assert session is not None
    return session
