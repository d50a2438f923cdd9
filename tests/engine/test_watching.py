"""The watchers of a session, in process: woken by commits, at rest otherwise, forgotten when they leave."""

from pathlib import Path

import msgspec
from tests.engine.driving import Driver, drive

from sheetgrpc.engine import intents
from sheetgrpc.engine.watching import Bookmark, Logged, SessionWatcher
from sheetgrpc.session.events import ScopeCleared, event_type
from sheetgrpc.session.model import Lifecycle
from sheetgrpc.store.records import Changes

SHEET = '(port.ensure :code "HAM")'


async def next_type(watcher: SessionWatcher) -> str:
    news = await watcher.next()
    assert isinstance(news, Logged), news
    return event_type(news.event)


async def rename(driver: Driver, session: str, name: str) -> None:
    await driver.call(session, intents.UpdateSession(name=name))


async def test_a_watcher_is_told_what_the_executor_commits(fleet: Driver) -> None:
    session = await fleet.open()
    watcher = await fleet.engine.watch_session(session, 1)
    await fleet.ready(SHEET, session)
    await fleet.submit(session)
    seen = [await next_type(watcher) for _ in range(4)]
    assert seen == ["SheetImported", "SheetParsed", "SheetSubmitted", "ExecutionFinished"]
    watcher.close()


async def test_a_commit_that_nobody_hinted_at_is_found_at_the_next_heartbeat(path: Path) -> None:
    async with drive(path, heartbeat_interval=0.01) as fleet:
        session = await fleet.open()
        watcher = await fleet.engine.watch_session(session, 1)
        async with fleet.engine.store.begin() as transaction:
            opened = await transaction.open(session, None)
            assert opened.row is not None
            changed = msgspec.structs.replace(opened.row.session, version=2)
            await transaction.commit(Changes(session=changed, events=(ScopeCleared(at=1),)))
        while isinstance(news := await watcher.next(), Bookmark):
            assert news.sequence == 1
        assert news == Logged(2, ScopeCleared(at=1))
        watcher.close()


async def test_watchers_at_the_same_place_share_what_one_of_them_read(fleet: Driver) -> None:
    session = await fleet.open()
    watchers = [await fleet.engine.watch_session(session, 0) for _ in range(3)]
    assert [await next_type(watcher) for watcher in watchers] == ["SessionCreated"] * 3
    await rename(fleet, session, "x")
    first, *others = [await watcher.next() for watcher in watchers]
    assert isinstance(first, Logged)
    assert first.sequence == 2
    assert all(other is first for other in others)
    for watcher in watchers:
        watcher.close()


async def test_a_watcher_far_behind_reads_a_long_log_to_its_end(fleet: Driver) -> None:
    session = await fleet.open()
    for at in range(40):
        await rename(fleet, session, f"n{at}")
    await fleet.call(session, intents.CloseSession(outcome=Lifecycle.COMPLETED))
    watcher = await fleet.engine.watch_session(session, 3)
    sequences = []
    while isinstance(news := await watcher.next(), Logged):
        sequences.append(news.sequence)
    assert (sequences, news) == (list(range(4, 43)), None)
    watcher.close()


async def test_a_session_that_nobody_watches_any_more_costs_nothing(fleet: Driver) -> None:
    session = await fleet.open()
    topics = fleet.engine._context.topics._topics
    first, second = [await fleet.engine.watch_session(session, 0) for _ in range(2)]
    assert set(topics) == {session}
    first.close()
    first.close()
    assert set(topics) == {session}
    second.close()
    assert not topics
    assert await second.next() is None
