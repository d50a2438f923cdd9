"""Lists of sessions: from an index whatever is asked for, whole while others are made, over old databases too."""

import itertools
import sqlite3
from collections import defaultdict

import msgspec
import pytest
from tests.store.making import Commit, Made

from sheetgrpc.session.model import Client, Session
from sheetgrpc.store.base import Store
from sheetgrpc.store.queries import load_migrations, load_queries
from sheetgrpc.store.records import SessionFilter
from sheetgrpc.store.sqlite.migrations import migrate
from sheetgrpc.store.sqlite.reads import read_sessions

INDEXES = {
    "sessions": "sheetgrpc_sessions_by_age",
    "sessions_by_role": "sheetgrpc_sessions_by_role",
    "sessions_by_client_name": "sheetgrpc_sessions_by_client_name",
    "sessions_by_client_target": "sheetgrpc_sessions_by_client_target",
    "sessions_by_task": "sheetgrpc_sessions_by_task",
    "sessions_by_parent": "sheetgrpc_sessions_by_parent",
    "sessions_by_label": "sqlite_autoindex_sheetgrpc_sessions_1",
}


@pytest.fixture
def connection() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


@pytest.mark.parametrize("name", INDEXES)
def test_a_list_reads_the_index_of_what_it_is_filtered_by_in_its_order(
    name: str, connection: sqlite3.Connection
) -> None:
    """Section 3 asks for lists among 100,000 sessions: nothing is sorted, and no session is read to be left out."""
    migrate(connection, 0)
    query = load_queries("sqlite")[name].split("\n", 1)[1]
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + query, defaultdict(int))]
    assert plan[0].startswith(f"SEARCH sheetgrpc_sessions USING INDEX {INDEXES[name]} (")
    assert not any("TEMP B-TREE" in step or "SCAN sheetgrpc" in step for step in plan)
    connection.close()


FIELDS: dict[str, tuple[dict[str, object], str]] = {
    "label": ({"labels": ("x",)}, "x"),
    "role": ({"role": "x"}, "x"),
    "task_id": ({"task_id": "x"}, "x"),
    "parent_id": ({"parent_id": "7ABCDEFGHJKMNPQRSTVWXYZ012"}, "7ABCDEFGHJKMNPQRSTVWXYZ012"),
    "client_name": ({"client": Client(name="x", target="x")}, "x"),
    "client_target": ({"client": Client(name="x", target="x")}, "x"),
}


@pytest.mark.parametrize("fields", [pair for count in (1, 2) for pair in itertools.combinations(FIELDS, count)])
async def test_filters_are_put_together_whichever_index_is_read(
    store: Store, commit: Commit, made: Made, fields: tuple[str, ...]
) -> None:
    whole = {key: value for field in FIELDS for key, value in FIELDS[field][0].items()}
    has_all = made.session(**whole)
    await commit(made.created(has_all))
    for left_out in FIELDS:
        partly = {key: value for key, value in whole.items() if key not in FIELDS[left_out][0] and key != "labels"}
        await commit(made.created(made.session(**partly)))
    wanted = SessionFilter(**{field: FIELDS[field][1] for field in fields})  # type: ignore[arg-type]  # all are texts
    found = {row.session.id for row in await store.sessions(wanted, 50, None)}
    everything = await store.sessions(SessionFilter(), 50, None)
    assert found == {row.session.id for row in everything if all(has(row.session, field) for field in fields)}
    assert has_all.id in found


def has(session: Session, field: str) -> bool:
    (_, text) = FIELDS[field]
    values = {
        "label": session.labels,
        "client_name": (session.client.name,),
        "client_target": (session.client.target,),
    }.get(field)
    return text in values if values is not None else bool(getattr(session, field) == text)


@pytest.mark.parametrize("wanted", [SessionFilter(), SessionFilter(role="r"), SessionFilter(client_target="t")])
async def test_pages_of_equal_times_neither_skip_nor_repeat_while_others_come(
    store: Store, commit: Commit, made: Made, wanted: SessionFilter
) -> None:
    """D-41: the id breaks the tie; what comes meanwhile at the same time may be among them, once at most."""

    def one() -> Session:
        return made.session(created_at=5, role="r", client=Client(target="t"))

    there = [one() for _ in range(12)]
    for session in there:
        await commit(made.created(session))
    found: list[str] = []
    before = None
    while page := await store.sessions(wanted, 5, before):
        found += [row.session.id for row in page]
        before = (page[-1].session.created_at, page[-1].session.id)
        await commit(made.created(one()))
    assert len(found) == len(set(found))
    assert [one for one in found if one in {session.id for session in there}] == [s.id for s in reversed(there)]


async def test_a_list_within_times_begins_and_ends_there(store: Store, commit: Commit, made: Made) -> None:
    sessions = [made.session(created_at=at) for at in (1, 2, 2, 3)]
    for session in sessions:
        await commit(made.created(session))
    for after, before, found in [(None, None, 4), (2, None, 3), (None, 2, 1), (2, 3, 2), (3, 3, 0), (0, 2**62, 4)]:
        wanted = SessionFilter(created_after=after, created_before=before)
        assert len(await store.sessions(wanted, 9, None)) == found
    page = await store.sessions(SessionFilter(created_before=3), 1, None)
    rest = await store.sessions(SessionFilter(created_before=3), 9, (2, page[0].session.id))
    assert [row.session.id for row in [*page, *rest]] == [session.id for session in sessions[2::-1]]


def test_sessions_of_an_older_database_are_listed_by_their_clients(connection: sqlite3.Connection, made: Made) -> None:
    """The columns that 0002 adds are filled from what each session has recorded."""
    migrate(connection, 0, load_migrations("sqlite")[:1])
    session = made.session(client=Client("agent", "1", "Ünïcode 'live'"))
    connection.execute(
        "INSERT INTO sheetgrpc_sessions (id, created_at, state, lifecycle, version, role, task_id, parent_id, body)"
        " VALUES (?, 0, 'EMPTY', 'PENDING', 1, '', '', '', ?)",
        (session.id, msgspec.json.encode(session)),
    )
    migrate(connection, 0)
    for wanted in (SessionFilter(client_name="agent"), SessionFilter(client_target="Ünïcode 'live'")):
        assert [row.session for row in read_sessions(connection, wanted, 9, None)] == [session]
    connection.close()
