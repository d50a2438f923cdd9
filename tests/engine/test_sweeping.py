"""The sweeper: what it ends, purges, deletes and trims, in which pieces, and what it leaves alone."""

import asyncio
from pathlib import Path

import pytest
from tests.engine.driving import Driver
from tests.engine.hands import DAY, NOON, SECOND, Hands, drive_by, fold_of, open_leased, stored

from sheetgrpc.engine import intents, sweeping, trimming
from sheetgrpc.engine.pace import Pace
from sheetgrpc.engine.trimming import last_spare
from sheetgrpc.engine.watching import Logged, Reset, Topic
from sheetgrpc.errors import NotFound, Reason, SheetError
from sheetgrpc.session.events import SessionUpdated
from sheetgrpc.session.machine import evolve, fold
from sheetgrpc.session.model import Lifecycle, Session
from sheetgrpc.store.records import Changes, SessionFilter

SHEET = '(port.ensure :code "HAM" :as @h)\n(port.ensure :code "BRE")\n(voyage.ensure :ship <nobody> :number 1)'
RUNNABLE = '(port.ensure :code "HAM" :as @h)'
CLOSE = intents.CloseSession(outcome=Lifecycle.FAILED)
TABLES = (
    *("sessions", "labels", "events", "scopes", "sheets", "analyses", "diagnostics", "references"),
    *("executions", "results", "leavings"),
)


def rows(fleet: Driver) -> dict[str, int]:
    """How many rows each of our tables has, if any."""
    counts = {name: fleet.rows(f"SELECT count(*) FROM sheetgrpc_{name}")[0] for name in TABLES}
    return {name: count for name, count in counts.items() if count}


async def lengthen(fleet: Driver, session: str, count: int, at: int) -> Session:
    """So many events more, in one transaction."""
    async with fleet.engine.store.begin() as transaction:
        opened = await transaction.open(session, None)
        assert opened.row is not None
        after = opened.row.session
        events = tuple(SessionUpdated(at=at, name=f"n{number}", metadata={"x": number}) for number in range(count))
        for event in events:
            after = evolve(after, event)
        await transaction.commit(Changes(session=after, events=events, active_at=at))
    return after


async def test_sessions_that_are_due_end_and_the_others_do_not(path: Path) -> None:
    """B7: counts are told; a second sweep finds nothing."""
    hands = Hands()
    async with drive_by(hands, path, retention_days=1) as fleet:
        due = [await open_leased(fleet, lease) for lease in (5, 10, 10, 0.5)]
        kept = [await open_leased(fleet, lease) for lease in (11, None)]
        hands.go(10)
        assert (await fleet.engine.sweeper.sweep()).expired == 4
        assert (await fleet.engine.sweeper.sweep()).expired == 0
        for sessions, lifecycle in ((due, Lifecycle.EXPIRED), (kept, Lifecycle.PENDING)):
            assert {(await stored(fleet, one)).session.lifecycle for one in sessions} == {lifecycle}
        hands.go(DAY / SECOND)
        assert (await fleet.engine.sweeper.sweep()).expired == 2


async def test_a_tombstone_is_readable_for_the_retention_and_then_gone_with_all_it_had(path: Path) -> None:
    """D-33, A2."""
    hands = Hands()
    async with drive_by(hands, path, retention_days=1) as fleet:
        session = await open_leased(fleet, None)
        await fleet.call(session, intents.LabelSession(label="payroll"))
        await fleet.parse(session, SHEET)
        ran = await fleet.run(RUNNABLE, session=session)
        await fleet.call(session, intents.SetScope("port", all=True))
        await fleet.call(session, CLOSE)
        assert set(rows(fleet)) == set(TABLES) - {"leavings"}
        hands.stand(NOON + DAY - 1)
        assert not (await fleet.engine.sweeper.sweep()).purged
        assert (await fleet.engine.get_session("payroll")).expires_at == NOON + DAY
        hands.stand(NOON + DAY)
        assert (await fleet.engine.sweeper.sweep()).purged == 1
        for read in (
            fleet.engine.get_session(session),
            fleet.engine.get_session("payroll"),
            fleet.engine.get_session(session[:20]),
            fleet.engine.list_events(session, 0, 10, ()),
            fleet.engine.get_execution(ran.execution.id),
            fleet.engine.sheets.get("", ran.execution.sheet_id),
            fleet.call(session, intents.RenewSession()),
        ):
            with pytest.raises(NotFound):
                await read
        assert rows(fleet) == {}
        assert fleet.rows("SELECT code FROM ports") == ["HAM"], "what was applied stays"


async def test_a_purge_goes_on_in_pieces_that_nobody_sees(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Purge against read: the session is there whole or not at all, however many transactions it takes."""
    monkeypatch.setattr(sweeping, "_ROWS", 2)
    monkeypatch.setattr(sweeping, "_PIECES", 1)
    hands = Hands()
    async with drive_by(hands, path, retention_days=1) as fleet:
        session = await open_leased(fleet, None)
        ran = await fleet.run("\n".join(f'(port.ensure :code "P{at}")' for at in range(7)), session=session)
        await fleet.call(session, CLOSE)
        hands.go(2 * 86400)
        seen = []
        while (swept := await fleet.engine.sweeper.sweep()).more:
            seen.append(rows(fleet))
            with pytest.raises(NotFound):
                await fleet.engine.get_session(session)
            with pytest.raises(NotFound):
                await fleet.engine.list_results(ran.execution.id, -1, 10, ())
            assert await fleet.engine.list_sessions(SessionFilter(), 10, None) == []
        assert [one.get("results", 0) for one in seen][:4] == [5, 3, 1, 0]
        assert (swept.purged, rows(fleet)) == (0, {})


async def test_a_purge_that_a_crash_broke_off_is_gone_on_with(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, retention_days=1) as fleet:
        session = await open_leased(fleet, None)
        await fleet.run(RUNNABLE, session=session)
        await fleet.call(session, CLOSE)
        assert await fleet.engine.store.upkeep.purge(session, hands.at)
        assert rows(fleet)["leavings"] == 1
    async with drive_by(hands, path, retention_days=1) as fleet:
        other = await fleet.run(RUNNABLE)
        await fleet.engine.sweeper.sweep()
        assert [result.row.index for result in await fleet.engine.list_results(other.execution.id, -1, 10, ())] == [0]
        assert rows(fleet)["results"] == 1


async def test_a_watched_tombstone_is_not_purged_under_its_reader(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, retention_days=1) as fleet:
        session = await open_leased(fleet, None)
        watcher = await fleet.engine.watch_session(session, 0)
        await fleet.call(session, CLOSE)
        hands.go(2 * 86400)
        assert (await fleet.engine.sweeper.sweep()).purged == 0
        assert [type(await watcher.next()) for _ in range(3)] == [Logged, Logged, type(None)]
        watcher.close()
        assert (await fleet.engine.sweeper.sweep()).purged == 1


async def test_only_replies_that_have_expired_are_deleted(path: Path) -> None:
    """D-47: at the boundary too; a reply outlives the session that it named."""
    hands = Hands()
    async with drive_by(hands, path, request_id_ttl=100.0, retention_days=0.0001) as fleet:
        session = await open_leased(fleet, None)
        first = await fleet.send(session, intents.RenewSession(), "r1")
        hands.go(1)
        await fleet.send(session, CLOSE, "r2")
        hands.stand(NOON + 100 * SECOND - 1)
        swept = await fleet.engine.sweeper.sweep()
        assert (swept.replies, swept.purged) == (0, 1)
        assert (await fleet.send(session, intents.RenewSession(), "r1")).body == first.body
        hands.stand(NOON + 100 * SECOND)
        assert (await fleet.engine.sweeper.sweep()).replies == 1
        with pytest.raises(NotFound):
            await fleet.send(session, intents.RenewSession(), "r1")
        assert (await fleet.send(session, CLOSE, "r2")).replayed


async def test_one_session_that_fails_does_not_stop_the_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is first in every batch."""
    monkeypatch.setattr(sweeping, "_BATCH", 1)
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        broken, *others = [await open_leased(fleet, lease) for lease in (1, 2, 3)]
        fleet.change("UPDATE sheetgrpc_sessions SET body = 'no JSON' WHERE id = ?", broken)
        hands.go(10)
        swept = [(await fleet.engine.sweeper.sweep()).expired for _ in range(4)]
        assert sum(swept) == 2
        assert {(await stored(fleet, one)).session.lifecycle for one in others} == {Lifecycle.EXPIRED}


async def test_a_sweep_gives_way_to_whoever_has_the_writer(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, writer_timeout=0.01) as fleet:
        session = await open_leased(fleet, 1)
        hands.go(10)
        async with fleet.engine.store.begin() as held:
            await held.open(session, None)
            assert (await fleet.engine.sweeper.sweep()).expired == 0
        assert (await fleet.engine.sweeper.sweep()).expired == 1
        assert (await stored(fleet, session)).session.lifecycle is Lifecycle.EXPIRED


async def test_the_sweeper_sweeps_by_itself_until_the_server_drains(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, sweep_interval=0.001) as fleet:
        session = await open_leased(fleet, 1)
        ended = fleet.engine._context.topics._topics[session] = Topic(Pace())  # a look that is no watch
        fleet.engine.sweeper.start()
        hands.go(10)
        assert await ended.changed(10)
        fleet.engine.drain()
        await fleet.engine.sweeper.stop()
        other = await open_leased(fleet, 1)
        hands.go(10)
        assert (await fleet.engine.sweeper.sweep()).expired == 0
        assert (await stored(fleet, other)).session.lifecycle is Lifecycle.PENDING


async def test_who_was_watched_until_the_server_stopped_is_written_down(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, None)
        watcher = await fleet.engine.watch_session(session, 0)
        hands.go(1000)
        watcher.close()
    async with drive_by(hands, path) as fleet:
        assert (await stored(fleet, session)).active_at == NOON + 1000 * SECOND


async def test_a_long_log_loses_its_oldest_events_and_folds_to_the_same_session(path: Path) -> None:
    """D-35: in pieces; young events and the newest ones stay, however long the log is."""
    hands = Hands()
    async with drive_by(hands, path, retention_days=1, max_session_events=100) as fleet:
        session = await open_leased(fleet, None)
        await lengthen(fleet, session, 700, hands.at)
        hands.go(0.6 * 86400)
        await lengthen(fleet, session, 49, hands.at)
        assert (await fleet.engine.sweeper.sweep()).trimmed == 0, "nothing is older than the retention"
        hands.go(0.6 * 86400)
        sweeps = [await fleet.engine.sweeper.sweep() for _ in range(3)]
        assert [swept.trimmed for swept in sweeps] == [500, 150, 0]
        row = await stored(fleet, session)
        assert (row.oldest_sequence, row.session.version) == (651, 750)
        assert await fold_of(fleet, session) == row.session
        found = await fleet.engine.list_events(session, 3, 2, ())
        assert [one.sequence for one in found] == [651, 652], "a list from what is gone begins with the oldest kept"


async def test_a_log_is_not_trimmed_under_a_command(path: Path) -> None:
    """What was read at another version is not written."""
    hands = Hands()
    async with drive_by(hands, path, retention_days=1, max_session_events=100) as fleet:
        session = await open_leased(fleet, None)
        await lengthen(fleet, session, 200, NOON)
        stale = (await stored(fleet, session)).session
        await lengthen(fleet, session, 1, NOON)
        base = await fold_of(fleet, session)
        assert not await fleet.engine.store.upkeep.trim(stale, base)
        assert (await stored(fleet, session)).oldest_sequence == 1


@pytest.mark.parametrize(("version", "keep", "last"), [(500, 100, 400), (100, 100, 0), (99, 100, -1), (5, 0, 4)])
def test_the_newest_events_are_spared(version: int, keep: int, last: int) -> None:
    assert last_spare(Session(id="s", version=version), keep) == last


def test_what_an_undo_goes_back_to_is_spared() -> None:
    class Undoable(Session, frozen=True):
        undo: tuple[int, ...] = ()
        redo: tuple[int, ...] = ()

    assert last_spare(Undoable(id="s", version=500, undo=(300, 310)), 100) == 299
    assert last_spare(Undoable(id="s", version=500, undo=(300,), redo=(250,)), 100) == 249


async def test_a_watch_from_what_was_trimmed_begins_with_the_session_as_it_is(path: Path) -> None:
    """D-35: then live events."""
    hands = Hands()
    async with drive_by(hands, path, retention_days=1, max_session_events=100) as fleet:
        session = await open_leased(fleet, None)
        await lengthen(fleet, session, 200, NOON)
        behind = await fleet.engine.watch_session(session, 20)
        assert isinstance(await behind.next(), Logged)
        await fleet.call(session, intents.RenewSession())
        assert await fleet.engine.store.upkeep.trim(
            (await stored(fleet, session)).session, await _session_at(fleet, session, 100)
        )
        for after, first in ((0, Reset), (99, Reset), (100, Logged), (202, Reset)):
            watcher = await fleet.engine.watch_session(session, after)
            news = await watcher.next()
            assert isinstance(news, first), after
            if isinstance(news, Reset):
                assert (news.sequence, news.view.row.session.version) == (201, 201)
                assert news.view.row.oldest_sequence == 101
            watcher.close()
        for _ in range(200):
            news = await behind.next()
            if isinstance(news, Reset):
                break
        assert isinstance(news, Reset), "a watcher that the trimming overtakes is told so"
        await fleet.call(session, CLOSE)
        news = await behind.next()
        assert isinstance(news, Logged)
        assert news.sequence == 202
        assert await behind.next() is None
        behind.close()


async def _session_at(fleet: Driver, session: str, version: int) -> Session:
    found = await fleet.engine.list_events(session, 0, version, ())
    return fold([row.event for row in found])


async def test_a_watch_of_another_stores_life_begins_anew(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, None)
        incarnation = fleet.engine.store.about.incarnation
        for known, first in ((incarnation, Logged), ("", Logged), ("another", Reset)):
            watcher = await fleet.engine.watch_session(session, 0, known)
            assert isinstance(await watcher.next(), first)
            watcher.close()


async def test_trimming_goes_round_all_long_logs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs that cannot be trimmed keep nobody else's from it."""
    monkeypatch.setattr(trimming, "_LOGS", 1)
    hands = Hands()
    async with drive_by(hands, path, retention_days=1, max_session_events=100) as fleet:
        young, old = await open_leased(fleet, None), await open_leased(fleet, None)
        await lengthen(fleet, old, 150, NOON)
        hands.go(1.5 * 86400 - 1)
        await lengthen(fleet, young, 150, hands.at)
        await lengthen(fleet, old, 1, hands.at)
        assert sum([(await fleet.engine.sweeper.sweep()).trimmed for _ in range(3)]) > 0
        assert (await stored(fleet, old)).oldest_sequence > 1
        assert (await stored(fleet, young)).oldest_sequence == 2, "its creation alone is old"


async def test_what_cannot_be_read_is_refused_as_gone_even_while_it_is_deleted(path: Path) -> None:
    """A reader beside a purge gets the whole session, or SESSION_NOT_FOUND."""
    hands = Hands()
    async with drive_by(hands, path, retention_days=1) as fleet:
        session = await open_leased(fleet, None)
        ran = await fleet.run(RUNNABLE, session=session)
        await fleet.call(session, CLOSE)
        hands.go(2 * 86400)

        async def read() -> Reason | int:
            try:
                await fleet.engine.get_session(session)
                return len(await fleet.engine.list_events(session, 0, 100, ()))
            except SheetError as error:
                return error.reason

        *answers, _ = await asyncio.gather(*(read() for _ in range(20)), fleet.engine.sweeper.sweep())
        assert set(answers) <= {6, Reason.SESSION_NOT_FOUND}
        assert await read() is Reason.SESSION_NOT_FOUND
        assert ran.state == "SUCCEEDED"
