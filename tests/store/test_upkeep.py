"""Signs of life, ends, purges and trimming, through the Store contract; and what a database from before has of them."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from tests.store.making import Commit, Made

from sheetgrpc.errors import Conflict, NotFound
from sheetgrpc.session.events import SessionClosed, SessionExpired, SessionUpdated
from sheetgrpc.session.evolution import evolve, fold
from sheetgrpc.session.model import Client, ExecutionState, Lifecycle, Session, State
from sheetgrpc.store.base import Store
from sheetgrpc.store.queries import load_migrations
from sheetgrpc.store.records import Changes, SessionFilter
from sheetgrpc.store.sqlite.migrations import migrate

replace = msgspec.structs.replace


def ended(session: Session, at: int) -> Changes:
    event = SessionClosed(at=at, outcome=Lifecycle.FAILED)
    return Changes(session=evolve(session, event), events=(event,), active_at=at)


async def test_a_sign_of_life_is_what_the_last_command_was(store: Store, commit: Commit, made: Made) -> None:
    session = made.session(created_at=100)
    await commit(made.created(session))
    assert (await store.session(session.id)).active_at == 100
    await commit(Changes(session=session, events=(), active_at=200))
    await commit(Changes(session=session, events=()))
    assert (await store.session(session.id)).active_at == 200


async def test_an_end_is_guarded_by_the_last_sign_of_life(store: Store, commit: Commit, made: Made) -> None:
    """D-29: compare and set on version and activity."""
    session = made.session(created_at=100)
    await commit(made.created(session))
    await commit(Changes(session=session, events=(), active_at=200))
    event = SessionExpired(at=300, by="lease")
    end = Changes(session=evolve(session, event), events=(event,), seen_active_at=100)
    with pytest.raises(Conflict):
        await commit(end)
    assert (await store.session(session.id)).session == session
    end.seen_active_at = 200
    await commit(end)
    row = await store.session(session.id)
    assert (row.session.lifecycle, row.active_at) == (Lifecycle.EXPIRED, 200)


async def test_touches_only_go_forward_and_only_wake_the_living(store: Store, commit: Commit, made: Made) -> None:
    live, dead, ahead = [made.session(created_at=100) for _ in range(3)]
    for session in (live, dead, ahead):
        await commit(made.created(session))
    await commit(ended(dead, 150))
    await commit(Changes(session=ahead, events=(), active_at=10_000))
    for at in (300, 200):
        await store.upkeep.touch(dict.fromkeys((live.id, dead.id, ahead.id, "nobody"), at), now=300)
    found = [(await store.session(one.id)).active_at for one in (live, dead, ahead)]
    assert found == [300, 150, 300], "a sign of life that is yet to come counts for nothing"


async def test_signs_of_life_that_are_yet_to_come_are_of_now(store: Store, commit: Commit, made: Made) -> None:
    sessions = [made.session(created_at=at) for at in (100, 900, 901)]
    for session in sessions:
        await commit(made.created(session))
    assert await store.upkeep.settle_clock(now=500, beyond=600, limit=1) == 1
    assert await store.upkeep.settle_clock(now=500, beyond=600, limit=9) == 1
    assert await store.upkeep.settle_clock(now=500, beyond=600, limit=9) == 0
    assert [(await store.session(one.id)).active_at for one in sessions] == [100, 500, 500]


async def test_who_is_due_by_lease_comes_soonest_first(store: Store, commit: Commit, made: Made) -> None:
    """D-31: a lease longer than the time since the start is not due, whatever it says."""
    by = {lease: made.session(created_at=100, lease=lease) for lease in (50, 20, 500, None)}
    for session in by.values():
        await commit(made.created(session))
    busy = made.session(created_at=100, lease=10, state=State.EXECUTING, lifecycle=Lifecycle.ACTIVE)
    await commit(made.created(busy))
    due = store.upkeep.leases_due
    assert await due(now=150, since=0, limit=9) == [by[20].id, by[50].id]
    assert await due(now=149, since=0, limit=9) == [by[20].id]
    assert await due(now=150, since=101, limit=9) == [by[20].id]
    assert await due(now=9_000, since=0, limit=1) == [by[20].id]


async def test_who_is_due_by_retention_has_no_lease_and_is_not_executing(
    store: Store, commit: Commit, made: Made
) -> None:
    old, young = made.session(created_at=100), made.session(created_at=200)
    leased = made.session(created_at=50, lease=500)
    busy = made.session(created_at=50, state=State.EXECUTING, lifecycle=Lifecycle.ACTIVE)
    for session in (old, young, leased, busy):
        await commit(made.created(session))
    assert await store.upkeep.retentions_due(before=100, limit=9) == [old.id]
    assert await store.upkeep.retentions_due(before=99, limit=9) == []


async def test_a_purged_session_is_unknown_at_once_and_cleared_in_pieces(
    store: Store, commit: Commit, made: Made
) -> None:
    """D-33."""
    session = made.session(labels=("payroll",))
    sheet = made.sheet(session)
    await commit(made.created(session, sheet=sheet))
    execution = made.execution(session, sheet, state=ExecutionState.FAILED)
    await commit(Changes(session=session, events=(), execution=execution))
    await commit(ended(session, 500))
    assert await store.upkeep.tombstones_due(before=499, limit=9) == []
    assert await store.upkeep.tombstones_due(before=500, limit=9) == [session.id]
    assert not await store.upkeep.purge(session.id, 499)
    assert await store.upkeep.purge(session.id, 500)
    assert not await store.upkeep.purge(session.id, 500)
    assert await store.upkeep.tombstones_due(before=500, limit=9) == []
    for read in (
        *(store.session(ref) for ref in (session.id, session.id[:24], "payroll")),
        store.sheet(sheet.id),
        store.execution(execution.id),
    ):
        with pytest.raises(NotFound):
            await read
    assert await store.sessions(SessionFilter(), 9, None) == []
    pieces = 0
    while await store.upkeep.clear(1):
        pieces += 1
    assert pieces == 5, "the execution, two events, the sheet, the session"


async def test_numbers_of_executions_are_not_used_again_while_results_are_left(
    store: Store, backend: str, commit: Commit, made: Made
) -> None:
    numbers = []
    for _ in range(2):
        session = made.session()
        sheet = made.sheet(session)
        await commit(made.created(session, sheet=sheet))
        execution = made.execution(session, sheet, state=ExecutionState.FAILED)
        await commit(Changes(session=session, events=(), execution=execution))
        numbers.append((await store.execution(execution.id)).number)
        await commit(ended(session, 500))
        assert await store.upkeep.purge(session.id, 500)
    assert numbers == {"sqlite": [1, 2], "postgres": [1, 1]}[backend], "results lie by the id there"


async def test_a_trimmed_log_and_its_base_fold_to_the_session(store: Store, commit: Commit, made: Made) -> None:
    """D-35."""
    session = made.session()
    created = made.created(session)
    await commit(created)
    events = tuple(SessionUpdated(at=at, name=f"n{at}") for at in range(9))
    after = fold([*created.events, *events])
    await commit(Changes(session=after, events=events))
    base = fold([*created.events, *events[:3]])
    assert not await store.upkeep.trim(replace(after, version=9), base)
    assert await store.upkeep.trim(after, base)
    assert not await store.upkeep.trim(after, base), "what is gone is not trimmed again"
    row = await store.session(session.id)
    kept = await store.events(session.id, 0, 99)
    assert (row.oldest_sequence, [one.sequence for one in kept]) == (5, list(range(5, 11)))
    assert fold([one.event for one in kept], await store.base(session.id)) == row.session == after


async def test_a_whole_log_has_no_base(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    await commit(made.created(session))
    assert await store.base(session.id) is None


async def test_long_logs_are_found_by_id(store: Store, commit: Commit, made: Made) -> None:
    ids = []
    for count in (100, 101, 200):
        session = made.session()
        await commit(made.created(session))
        events = tuple(SessionUpdated(at=1) for _ in range(count))
        await commit(Changes(session=replace(session, version=1 + count), events=events))
        ids.append(session.id)
    assert await store.upkeep.long_logs(100, "", 9) == ids
    assert await store.upkeep.long_logs(101, "", 9) == ids[1:]
    assert await store.upkeep.long_logs(100, ids[0], 1) == [ids[1]]


def test_sessions_from_before_have_what_their_events_say(tmp_path: Path, made: Made) -> None:
    """An old database: the last event counts as the last sign of life, the caller's words as they were given."""
    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    first, *later = load_migrations("sqlite")
    migrate(connection, 0, [first])
    live = made.session(created_at=1, updated_at=2, client=Client("agent", "1", "prod"))
    dead = made.session(created_at=1, updated_at=5, ended_at=4, lifecycle=Lifecycle.COMPLETED)
    for session in (live, dead):
        body = msgspec.json.encode({k: v for k, v in msgspec.to_builtins(session).items() if k != "lease"})
        connection.execute(
            "INSERT INTO sheetgrpc_sessions (id, created_at, state, lifecycle, version, role, task_id, parent_id, body)"
            " VALUES (?, 1, 'EMPTY', ?, 1, '', '', '', ?)",
            (session.id, session.lifecycle, body),
        )
    migrate(connection, 0, [first, *later])
    rows = connection.execute(
        "SELECT active_at, lease, ended_at, client_name, client_target, oldest_sequence, base, purged"
        " FROM sheetgrpc_sessions ORDER BY id"
    ).fetchall()
    connection.close()
    assert rows == [(2, None, None, "agent", "prod", 1, None, 0), (5, None, 4, "", "", 1, None, 0)]
