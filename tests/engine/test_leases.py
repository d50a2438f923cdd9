"""Leases and lazy expiry: what counts as a sign of life, when a session ends, and who wins a race against its end."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.engine.driving import Driver
from tests.engine.hands import DAY, NOON, SECOND, Hands, drive_by, fold_of, open_leased, refusal, stored

from sheetgrpc.engine import intents
from sheetgrpc.errors import NotAllowed, Reason, SheetError
from sheetgrpc.session.events import SessionExpired
from sheetgrpc.session.model import Lifecycle, State

SHEET = '(port.ensure :code "HAM")'
RENEW = intents.RenewSession()
CLOSE = intents.CloseSession(outcome=Lifecycle.COMPLETED)
EXPIRED = Reason.SESSION_EXPIRED


async def test_a_lease_runs_out_without_a_sign_of_life(path: Path) -> None:
    """B7: to the microsecond, and told as an event in the log."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        hands.stand(NOON + 10 * SECOND - 1)
        assert (await fleet.engine.get_session(session)).row.session.lifecycle is Lifecycle.PENDING
        hands.stand(NOON + 10 * SECOND)
        view = await fleet.engine.get_session(session)
        assert (view.row.session.lifecycle, view.row.session.ended_at) == (Lifecycle.EXPIRED, hands.at)
        assert view.allowed_actions == ()
        (_, last) = await fleet.engine.list_events(session, 0, 10, ())
        assert last.event == SessionExpired(at=hands.at, by="lease")
        assert await fold_of(fleet, session) == view.row.session


async def test_leases_below_a_second_are_honoured(path: Path) -> None:
    """D-30."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 0.05)
        hands.go(0.049)
        assert await refusal(fleet, session) is None
        hands.go(0.051)
        assert await refusal(fleet, session) is EXPIRED


@pytest.mark.parametrize("intent", [RENEW, intents.UpdateSession(name="x"), intents.ImportSheet(SHEET)])
async def test_any_accepted_command_renews_a_lease(path: Path, intent: intents.Intent) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        for _ in range(3):
            hands.go(9)
            outcome = await fleet.call(session, intent)
            assert outcome.session.expires_at == hands.at + 10 * SECOND
            assert (await stored(fleet, session)).active_at == hands.at
        hands.go(10)
        assert await refusal(fleet, session, intent) is EXPIRED


async def test_a_refused_command_renews_nothing(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        hands.go(9)
        assert await refusal(fleet, session, intents.ParseSheet()) is Reason.ACTION_NOT_ALLOWED
        hands.go(1)
        assert await refusal(fleet, session) is EXPIRED


async def test_a_renewal_writes_no_event_and_wakes_no_session(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        hands.go(1)
        after = (await fleet.call(session, RENEW)).session.row.session
        assert (after.version, after.lifecycle, after.updated_at) == (1, Lifecycle.PENDING, NOON)
        assert len(await fleet.engine.list_events(session, 0, 10, ())) == 1


async def test_a_repeated_renewal_renews_nothing(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        first = await fleet.send(session, RENEW, "r")
        hands.go(9)
        again = await fleet.send(session, RENEW, "r")
        assert (again.replayed, again.body) == (True, first.body)
        assert (await stored(fleet, session)).active_at == NOON


async def test_a_repeat_is_answered_though_the_session_has_expired_since(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        first = await fleet.send(session, intents.ImportSheet(SHEET), "r")
        hands.go(11)
        assert await refusal(fleet, session) is EXPIRED
        assert (await fleet.send(session, intents.ImportSheet(SHEET), "r")).body == first.body


async def test_a_repeat_that_a_server_does_not_know_as_one_ends_nothing(path: Path) -> None:
    """It is answered before its session, whose time has run out, is judged."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        first = await fleet.send(session, RENEW, "r")
    async with drive_by(hands, path) as fleet:
        hands.go(11)
        before = await stored(fleet, session)
        again = await fleet.send(session, RENEW, "r")
        assert (again.body, again.replayed) == (first.body, True)
        assert await stored(fleet, session) == before
        assert await refusal(fleet, session, RENEW) is EXPIRED


async def test_a_session_without_a_lease_ends_by_retention(path: Path) -> None:
    """A2, B7: counted from the last activity, not from its creation."""
    hands = Hands()
    async with drive_by(hands, path, retention_days=2) as fleet:
        session = await open_leased(fleet, None)
        for _ in range(3):
            hands.go(1.9 * 86400)
            assert await refusal(fleet, session) is None
        hands.go(2 * 86400)
        assert await refusal(fleet, session) is EXPIRED
        (*_, last) = await fleet.engine.list_events(session, 0, 10, ())
        assert last.event == SessionExpired(at=hands.at, by="retention")


async def test_the_refusal_is_the_same_whoever_ended_the_session(path: Path) -> None:
    """The command itself, a read before it, or the sweeper; a stale expected_version changes nothing about it."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        sessions = [await open_leased(fleet, 10) for _ in range(3)]
        hands.go(11)
        told = []
        for session, before in zip(sessions, (None, fleet.engine.get_session, fleet.engine.sweeper), strict=True):
            if callable(before):
                await before(session)
            elif before is not None:
                await before.sweep()
            with pytest.raises(NotAllowed) as refused:
                await fleet.call(session, RENEW, expected_version=1)
            told.append((refused.value.reason, refused.value.message.replace(session, ""), refused.value.metadata))
            assert (await stored(fleet, session)).session.version == 2
        assert told[0][0] is EXPIRED
        assert told == [told[0]] * 3


async def test_an_executing_session_does_not_expire_and_its_end_is_a_sign_of_life(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, start=False) as fleet:
        session = await open_leased(fleet, 10)
        await fleet.ready(SHEET, session)
        execution = await fleet.submit(session)
        hands.go(1000)
        await fleet.engine.sweeper.sweep()
        view = await fleet.engine.get_session(session)
        assert (view.row.session.state, view.row.session.lifecycle) == (State.EXECUTING, Lifecycle.ACTIVE)
        assert view.expires_at is None
        fleet.engine._executor.start()
        await fleet.finish(execution)
        hands.go(9)
        view = await fleet.engine.get_session(session)
        assert (view.row.session.state, view.row.active_at) == (State.EXECUTED, hands.at - 9 * SECOND)
        assert view.expires_at == hands.at + SECOND


async def test_a_watched_session_does_not_expire_and_has_its_whole_lease_when_the_last_watcher_leaves(
    path: Path,
) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        one, other = [await fleet.engine.watch_session(session, 0) for _ in range(2)]
        hands.go(1000)
        assert (await fleet.engine.sweeper.sweep()).expired == 0
        one.close()
        hands.go(1000)
        assert (await fleet.engine.sweeper.sweep()).expired == 0
        other.close()
        hands.go(9)
        assert (await fleet.engine.get_session(session)).row.session.lifecycle is Lifecycle.PENDING
        await fleet.engine.sweeper.sweep()
        assert (await stored(fleet, session)).active_at == hands.at - 9 * SECOND
        hands.go(1)
        assert await refusal(fleet, session) is EXPIRED


async def test_a_crash_does_not_lose_that_a_session_was_watched(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path, retention_days=1) as fleet:
        session = await open_leased(fleet, None)
        await fleet.engine.watch_session(session, 0)
        hands.go(0.9 * 86400)
        await fleet.engine.sweeper.sweep()
        assert (await stored(fleet, session)).active_at == hands.at


async def test_who_begins_to_watch_too_late_sees_the_end(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        hands.go(10)
        watcher = await fleet.engine.watch_session(session, 1)
        news = await watcher.next()
        assert getattr(news, "event", None) == SessionExpired(at=hands.at, by="lease")
        assert await watcher.next() is None
        watcher.close()


async def test_downtime_longer_than_a_lease_is_forgiven_once(path: Path) -> None:
    """D-31: a whole lease from the start, and no more than that."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
    hands.go(10_000)
    async with drive_by(hands, path) as fleet:
        hands.go(9)
        assert (await fleet.engine.sweeper.sweep()).expired == 0
        assert (await fleet.engine.get_session(session)).expires_at == hands.at + SECOND
        hands.go(1)
        assert await refusal(fleet, session) is EXPIRED


@pytest.mark.parametrize("seconds", [400 * 86400, -400 * 86400])
async def test_a_jump_of_the_clock_expires_nobody(path: Path, seconds: float) -> None:
    """D-30: either way; leases have their whole time again, and nothing ends by retention for a day."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        leased, unleased, closed = [await open_leased(fleet, lease) for lease in (10, None, None)]
        await fleet.call(closed, CLOSE)
        hands.go(5)
        hands.jump(seconds)
        swept = await fleet.engine.sweeper.sweep()
        assert (swept.expired, swept.purged) == (0, 0)
        view = await fleet.engine.get_session(leased)
        assert (view.row.session.lifecycle, view.expires_at) == (Lifecycle.PENDING, hands.at + 10 * SECOND)
        hands.go(9)
        assert (await fleet.engine.get_session(leased)).row.session.lifecycle is Lifecycle.PENDING
        hands.go(1)
        assert await refusal(fleet, leased) is EXPIRED
        for session in (unleased, closed):
            deadline = (await fleet.engine.get_session(session)).expires_at
            assert deadline is not None
            assert deadline >= hands.at + DAY - 10 * SECOND


async def test_a_sign_of_life_from_a_clock_set_back_since_makes_nobody_immortal(path: Path) -> None:
    """D-30."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        hands.jump(400 * 86400)
        session = await open_leased(fleet, 10)
        hands.jump(-400 * 86400)
        await fleet.engine.sweeper.sweep()
        hands.go(10)
        assert (await fleet.engine.sweeper.sweep()).expired == 1
        assert await refusal(fleet, session) is EXPIRED


async def test_small_corrections_of_the_clock_are_no_jump(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 100)
        for _ in range(10):
            hands.go(9)
            hands.jump(1)
            await fleet.engine.sweeper.sweep()
        assert await refusal(fleet, session) is EXPIRED


Contender = Callable[[Driver, str], asyncio.Task[object]]


def _expire(fleet: Driver, session: str) -> "asyncio.Task[object]":
    async def expire() -> object:
        return await fleet.engine._expiry.settle(await stored(fleet, session))

    return asyncio.create_task(expire())


def _command(intent: intents.Intent) -> Contender:
    return lambda fleet, session: asyncio.create_task(fleet.call(session, intent))


RACERS = {
    "RenewSession": RENEW,
    "CloseSession": CLOSE,
    "UpdateSession": intents.UpdateSession(name="x"),
    "SubmitSheet": intents.SubmitSheet(confirm=True),
}


@pytest.mark.parametrize("first", ["command", "expiry"])
@pytest.mark.parametrize("racer", RACERS)
async def test_of_a_command_and_an_expiry_that_race_one_wins(path: Path, racer: str, first: str) -> None:
    """D-9, D-29, D-36: both serial orders, and no third outcome. The command passed its look before the deadline."""
    hands = Hands()
    async with drive_by(hands, path, start=False) as fleet:
        session = await open_leased(fleet, 10)
        await fleet.ready(SHEET, session)
        store = fleet.engine.store
        async with store.begin() as held:  # both wait for the writer, in this order
            await held.open(session, None)
            contenders = [_command(RACERS[racer]), _expire]
            tasks = []
            for contend in contenders if first == "command" else contenders[::-1]:
                hands.stand(NOON + 10 * SECOND - (contend is not _expire))  # the one looks just before the deadline
                tasks.append(contend(fleet, session))
                for _ in range(5):
                    await asyncio.sleep(0)
            hands.stand(NOON + 10 * SECOND - (first == "command"))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        after = (await stored(fleet, session)).session
        refused = [one for one in outcomes if isinstance(one, SheetError)]
        if first == "command":
            assert not refused
            assert after.lifecycle is (Lifecycle.COMPLETED if racer == "CloseSession" else Lifecycle.ACTIVE)
        else:
            assert [error.reason for error in refused] == [EXPIRED]
            assert (after.lifecycle, after.state) == (Lifecycle.EXPIRED, State.READY)
        assert await fold_of(fleet, session) == after


async def test_of_many_that_find_a_session_due_one_ends_it(path: Path) -> None:
    """D-36: commands, reads and sweeps at once; one event."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        hands.go(10)
        work = [refusal(fleet, session) for _ in range(5)]
        reads = [fleet.engine.get_session(session) for _ in range(5)]
        *refusals, _ = await asyncio.gather(*work, *reads, fleet.engine.sweeper.sweep())
        assert refusals[:5] == [EXPIRED] * 5
        events = await fleet.engine.list_events(session, 0, 10, ())
        assert [type(row.event).__name__ for row in events] == ["SessionCreated", "SessionExpired"]


async def test_a_label_is_taken_from_an_expired_session_too(path: Path) -> None:
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        old, new = await open_leased(fleet, 10), await open_leased(fleet, None)
        await fleet.call(old, intents.LabelSession(label="payroll"))
        hands.go(10)
        await asyncio.gather(fleet.call(new, intents.LabelSession(label="payroll")), fleet.engine.get_session(old))
        assert (await stored(fleet, "payroll")).session.id == new
        after = (await stored(fleet, old)).session
        assert (after.lifecycle, after.labels) == (Lifecycle.EXPIRED, ())
        assert await fold_of(fleet, old) == after


async def test_a_read_does_not_fail_where_the_writer_cannot_be_had(path: Path) -> None:
    """Then the session is shown as it was, and ended later."""
    hands = Hands()
    async with drive_by(hands, path, writer_timeout=0.01) as fleet:
        session = await open_leased(fleet, 10)
        hands.go(10)
        async with fleet.engine.store.begin() as held:
            await held.open(session, None)
            assert (await fleet.engine.get_session(session)).row.session.lifecycle is Lifecycle.PENDING
        assert (await fleet.engine.get_session(session)).row.session.lifecycle is Lifecycle.EXPIRED


async def test_a_command_that_waited_past_the_deadline_is_refused(path: Path) -> None:
    """D-9: looked in time, had the writer too late."""
    hands = Hands()
    async with drive_by(hands, path) as fleet:
        session = await open_leased(fleet, 10)
        hands.go(9)
        async with fleet.engine.store.begin() as held:
            await held.open(session, None)
            late = asyncio.create_task(refusal(fleet, session))
            for _ in range(5):
                await asyncio.sleep(0)
            hands.go(1)
        assert await late is EXPIRED
        assert (await stored(fleet, session)).session.lifecycle is Lifecycle.EXPIRED
