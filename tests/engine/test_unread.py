"""A command on a session that is named by its id, where a read is a trip: the session is read once, where it is held.

Whatever is not plain then (another's session, none, one whose time has run out) is judged as any other command is.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import asyncpg
import pytest
from tests.engine.driving import Driver, drive
from tests.engine.hands import Hands, drive_by, open_leased, refusal
from tests.engine.places import Place, fetch
from tests.engine.stopping import gated

from sheetgrpc.engine import intents
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.errors import Conflict, NotAllowed, NotFound, Reason
from sheetgrpc.session.model import Lifecycle
from sheetgrpc.store.postgres.store import PostgresStore
from sheetgrpc.store.queries import load_queries

RENAME = intents.UpdateSession(name="new")
CLOSE = intents.CloseSession(Lifecycle.COMPLETED)
TRIPS = ["BEGIN", "lock_sessions", "change_session", "add_reply", "COMMIT"]
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def store_of(fleet: Driver) -> PostgresStore:
    store = fleet.engine.store
    assert isinstance(store, PostgresStore)
    return store


async def trips(fleet: Driver, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> list[str]:
    """The statements that the work sends: ours by their names."""
    sent: list[str] = []
    names = {sql: name for name, sql in load_queries("postgres").items()}

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        sent.append(names.get(query.query, query.query))

    async def take(real: Callable[[], Any]) -> object:
        connection = await real()
        connection.add_query_logger(note)
        return connection

    store = store_of(fleet)
    with monkeypatch.context() as patched:
        for pool in (store._writers, store._readers):
            patched.setattr(pool, "take", partial(take, pool.take))
        await work()
    return sent


async def test_it_takes_five_trips(fleet_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none of another connection."""
    async with drive(fleet_url, start=False) as fleet:
        session = await fleet.open()
        sent = await trips(fleet, monkeypatch, lambda: fleet.send(session, RENAME, "r"))
        assert sent == TRIPS


async def test_a_label_takes_one_more(fleet_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has it is held before the session, whether that is another or this one."""
    async with drive(fleet_url, start=False) as fleet:
        others = await fleet.open()
        await fleet.call(others, intents.LabelSession("mine"))
        session = await fleet.open()
        label = intents.LabelSession("mine")
        sent = await trips(fleet, monkeypatch, lambda: fleet.send(session, label, "r"))
        assert sent[:3] == ["BEGIN", "hold_label", "lock_sessions"]
        again = await trips(fleet, monkeypatch, lambda: fleet.send(session, label, "again"))
        assert again == ["BEGIN", "hold_label", *TRIPS[1:]]
        rows = [(await fleet.engine.get_session(one)).row.session for one in (others, session)]
        assert [row.labels for row in rows] == [(), ("mine",)]


@pytest.mark.parametrize("named", [lambda session: session.lower(), lambda session: session[:20], lambda _: "mine"])
async def test_one_that_is_named_otherwise_is_looked_up_first(
    fleet_url: str, monkeypatch: pytest.MonkeyPatch, named: Callable[[str], str]
) -> None:
    async with drive(fleet_url, start=False) as fleet:
        session = await fleet.open()
        await fleet.call(session, intents.LabelSession("mine"))
        sent = await trips(fleet, monkeypatch, lambda: fleet.send(named(session), RENAME, "r"))
        assert sent[-5:] == TRIPS
        assert len(sent) > 5
        assert (await fleet.engine.get_session(session)).row.session.name == "new"


async def test_a_label_that_looks_like_an_id_is_a_label(fleet: Driver) -> None:
    session = await fleet.open()
    await fleet.call(session, intents.LabelSession(NOBODY))
    assert (await fleet.call(NOBODY, RENAME)).session.row.session.id == session


@pytest.mark.parametrize("intent", [RENAME, CLOSE, intents.RenewSession()])
async def test_what_is_not_the_callers_is_not_there(fleet: Driver, intent: Intent) -> None:
    session = await fleet.open()
    with pytest.raises(NotFound) as none:
        await fleet.call(NOBODY, intent)
    with pytest.raises(NotFound) as anothers:
        await fleet.engine.handle(Envelope("berta", type(intent).__name__, session), intent, lambda _: b"")
    assert none.value.reason is anothers.value.reason is Reason.SESSION_NOT_FOUND
    assert anothers.value.message == none.value.message.replace(NOBODY, session)
    assert (await fleet.engine.get_session(session)).row.session.version == 1


async def test_a_version_that_is_another_is_refused(fleet: Driver) -> None:
    session = await fleet.open()
    assert (await fleet.call(session, RENAME, expected_version=1)).session.row.session.version == 2
    with pytest.raises(Conflict) as refused:
        await fleet.call(session, RENAME, expected_version=1)
    assert refused.value.metadata == {"expectedVersion": "1", "actualVersion": "2"}


async def test_one_whose_time_has_run_out_ends_with_that(path: Place) -> None:
    hands = Hands()
    async with drive_by(hands, path, start=False) as fleet:
        session = await open_leased(fleet, 9)
        hands.go(8)
        assert await refusal(fleet, session, RENAME) is None  # a sign of life
        hands.go(10)
        with pytest.raises(NotAllowed) as refused:  # whatever else is wrong
            await fleet.call(session, RENAME, expected_version=1)
        assert refused.value.reason is Reason.SESSION_EXPIRED
        assert (await fleet.engine.store.session(session)).session.version == 3


async def test_a_repeat_that_this_server_knows_nothing_of_is_answered_as_before(path: Place) -> None:
    """Though the session has moved on, or is closed by what is repeated."""
    async with drive(path, start=False) as one:
        session = await one.open()
        renamed = await one.send(session, RENAME, "r")
        closed = await one.send(session, CLOSE, "c")
    async with drive(path, start=False) as two:
        again = [await two.send(session, RENAME, "r"), await two.send(session, CLOSE, "c")]
        assert [reply.body for reply in again] == [renamed.body, closed.body]
        assert all(reply.replayed for reply in again)
        assert (await two.engine.get_session(session)).row.session.version == 3


async def test_two_servers_that_get_one_request_at_once_do_it_once(fleet_url: str) -> None:
    """The second waits for the session that the first holds, and was told before that of no reply."""
    path: Any = fleet_url
    async with gated(path) as (one, gate), drive(path, start=False) as two:
        session = await one.open()
        gate.set("commit")
        first = asyncio.create_task(one.send(session, RENAME, "r"))
        await gate.reached.wait()
        second = asyncio.create_task(two.send(session, RENAME, "r"))
        async with asyncio.timeout(20):
            while not await fetch(fleet_url, WAITING):
                pass
        gate.opened.set()
        replies = await first, await second
        assert [reply.replayed for reply in replies] == [False, True]
        assert replies[0].body == replies[1].body
        assert (await two.engine.get_session(session)).row.session.version == 2


async def test_many_servers_of_one_session_all_have_their_turn(fleet_url: str) -> None:
    """None is told to come back, as it is where a session moved after it was read."""
    path: Any = fleet_url
    async with drive(path, start=False) as one, drive(path, start=False) as two:
        session = await one.open()
        renames = (intents.UpdateSession(name=f"{at}") for at in range(40))
        await asyncio.gather(*((one, two)[at % 2].call(session, rename) for at, rename in enumerate(renames)))
        assert (await one.engine.get_session(session)).row.session.version == 41
