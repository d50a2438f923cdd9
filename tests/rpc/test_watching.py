"""WatchSession: etcd's guarantees over random disconnects, and how a watch begins, idles and ends."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from tests.rpc.conftest import StartServer
from tests.rpc.guarantees import Connection, check, record
from tests.rpc.serving import Running, read_refusal
from tests.rpc.test_details import COMPLETED, create, events, label, update

from sheetgrpc.v1.session_service_pb2 import (
    CloseSessionRequest,
    SessionEvent,
    WatchSessionRequest,
    WatchSessionResponse,
)
from sheetgrpc.v1.sheet_service_pb2 import ImportSheetRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")


def watch(server: Running, session: str, after: int = 0) -> Any:
    return server.sessions.WatchSession(WatchSessionRequest(session=session, after_sequence=after))


async def close(server: Running, session: str) -> int:
    request = CloseSessionRequest(session=session, outcome=COMPLETED)
    return int((await server.sessions.CloseSession(request)).session.version)


async def read_to_end(call: Any) -> list[int]:
    sequences = []
    while (message := await call.read()) is not grpc.aio.EOF:
        if message.HasField("event"):
            sequences.append(message.event.sequence)
    assert await call.code() is grpc.StatusCode.OK
    return sequences


@pytest.mark.parametrize("seed", range(3))
async def test_the_guarantees_hold_over_random_disconnects(start_server: StartServer, seed: int) -> None:
    server = await start_server(heartbeat_interval=0.02)
    chance = random.Random(seed)
    sessions = [(await create(server, labels=[f"label-{at}"])).id for at in range(2)]
    boundaries: dict[str, set[int]] = {session: {1} for session in sessions}

    async def write(session: str) -> None:
        for at in range(25):
            if chance.random() < 0.4:
                after = await label(server, session, f"label-{chance.randrange(2)}")
            elif chance.random() < 0.5:
                after = await update(server, session, metadata={f"k{at}": at})
            else:
                request = ImportSheetRequest(session=session, source=f"; {at}")
                after = (await server.sheets.ImportSheet(request)).session
            boundaries[session].add(after.version)

    def whole(session: str) -> Any:
        """A label is never seen to be given before whoever had it is seen to have lost it."""
        other = next(one for one in sessions if one != session)
        had = {f"label-{sessions.index(session)}"}
        taken: dict[str, int] = {}

        async def seen(event: SessionEvent) -> None:
            name = str(event.payload["label"]) if "label" in event.payload.fields else ""
            if event.type == "LabelLost":
                had.discard(name)
            if event.type == "LabelGiven" and name not in had:
                had.add(name)
                taken[name] = taken.get(name, 0) + 1
                lost = await events(server, other, types=["LabelLost"])
                assert sum(one.payload["label"] == name for one in lost) >= taken[name], "not atomic"

        return seen

    async def read(session: str, at: int) -> tuple[str, list[Connection]]:
        return session, await record(server, session, random.Random(f"{seed} {session} {at}"), whole(session))

    readers = [asyncio.create_task(read(session, at)) for session in sessions for at in range(3)]
    await asyncio.gather(*map(write, sessions))
    for session in sessions:
        boundaries[session].add(await close(server, session))
    logs = {session: await events(server, session, page_size=1000) for session in sessions}
    for session, log in logs.items():
        boundaries[session] |= {event.sequence for event in log if event.type == "LabelLost"}
    for session, recording in await asyncio.gather(*readers):
        assert len(recording) > 3
        assert check(recording, logs[session], boundaries[session]) == []


def calls(*parts: tuple[int, str]) -> list[Connection]:
    """Recordings in short: where each began; `1` an event, `b1` a bookmark, `r1` a reset, `1!` one with other facts."""
    return [Connection(after, [_message(word) for word in words.split()]) for after, words in parts]


def _message(word: str) -> WatchSessionResponse:
    if word.startswith("b"):
        return WatchSessionResponse(bookmark={"sequence": int(word[1:])})
    if word.startswith("r"):
        sequence = int(word[1:])
        return WatchSessionResponse(reset={"sequence": sequence, "session": {"version": sequence % 10}})
    return WatchSessionResponse(event={"sequence": int(word.rstrip("!")), "type": "x" if word.endswith("!") else ""})


LOG = [SessionEvent(sequence=sequence) for sequence in (1, 2, 3, 4)]
GOOD = [
    calls((0, "1 2 3 4")),
    calls((0, "1 2 b2"), (2, "b2"), (2, "3 4 b4")),
    calls((0, "1"), (1, "2"), (2, ""), (2, "3 4")),
    calls((0, "r2 3 4")),
    calls((9, "r1 2 b2"), (2, "3 4")),
    calls((0, "1 r4")),
]
BAD: list[tuple[str, list[Connection]]] = [
    ("ordered", calls((0, "1 3 2 4"))),
    ("unique", calls((0, "1 2 2 3 4"))),
    ("unique", calls((0, "1 2"), (1, "2 3 4"))),
    ("reliable", calls((0, "1 2 4"))),
    ("reliable", calls((0, "1 2 3! 4"))),
    ("reliable", calls((0, "1 2"))),
    ("atomic", calls((0, "1 2 3 b3 4"))),
    ("resumable", calls((0, "1"), (2, "2 3 4"))),
    ("resumable", calls((0, "r1 3 4"))),
    ("reliable", calls((0, "r1 2 4"))),
    ("atomic", calls((0, "1 r3 4"))),
    ("unique", calls((0, "1 2 r1 2 3 4"))),
    ("resettable", calls((0, "1 2 r1 2 3 4"))),
    ("resettable", calls((0, "r10 1"))),
    ("bookmarkable", calls((0, "1 b2 2 3 4"))),
    ("bookmarkable", calls((0, "1 2 3 4 b2"))),
]


@pytest.mark.parametrize("recording", GOOD)
async def test_the_checker_finds_nothing_where_nothing_is_wrong(recording: Sequence[Connection]) -> None:
    assert check(recording, LOG, {1, 2, 4}) == []


@pytest.mark.parametrize(("name", "recording"), BAD)
async def test_the_checker_finds_what_is_wrong_by_its_name(name: str, recording: Sequence[Connection]) -> None:
    assert name in check(recording, LOG, {1, 2, 4})


async def test_a_watch_begins_after_its_sequence_and_ends_with_its_session(server: Running) -> None:
    session = await create(server)
    await update(server, session.id, name="x")
    call = watch(server, session.id, 1)
    assert (await call.read()).event.sequence == 2
    await close(server, session.id)
    assert (await call.read()).event.type == "SessionClosed"
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize(("after", "told"), [(0, [1, 2, 3]), (2, [3]), (3, [])])
async def test_a_watch_of_a_session_that_has_ended_tells_its_log_and_ends(
    server: Running, after: int, told: list[int]
) -> None:
    session = await create(server, labels=[f"lost-after-{after}"])
    await close(server, session.id)
    await label(server, (await create(server)).id, f"lost-after-{after}")
    assert await read_to_end(watch(server, session.id, after)) == told


async def test_an_idle_watch_gets_bookmarks(start_server: StartServer) -> None:
    server = await start_server(heartbeat_interval=0.01)
    session = await create(server)
    call = watch(server, session.id)
    assert (await call.read()).event.sequence == 1
    assert [(await call.read()).bookmark.sequence for _ in range(3)] == [1, 1, 1]
    await update(server, session.id, name="x")
    while (message := await call.read()).HasField("bookmark"):
        assert message.bookmark.sequence == 1
    assert message.event.sequence == 2
    assert (await call.read()).bookmark.sequence == 2
    call.cancel()


async def test_an_open_watch_tells_so_before_there_is_any_event(server: Running) -> None:
    session = await create(server)
    call = watch(server, session.id, 1)
    await call.initial_metadata()
    assert not call.done()
    call.cancel()


@pytest.mark.parametrize(("session", "after", "reason"), [("", -1, "INVALID_FIELD"), ("x", 0, "SESSION_NOT_FOUND")])
async def test_a_watch_of_what_is_not_there_is_refused(server: Running, session: str, after: int, reason: str) -> None:
    call = watch(server, session or (await create(server)).id, after)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call.read()
    assert read_refusal(error.value).reason == reason


async def test_a_watch_by_a_label_stays_with_its_session_when_the_label_moves(server: Running) -> None:
    session, other = await create(server, labels=["watched-by-this"]), await create(server)
    call = watch(server, "watched-by-this")
    assert (await call.read()).event.sequence == 1
    await label(server, other.id, "watched-by-this")
    assert (await call.read()).event.type == "LabelLost"
    await close(server, session.id)
    assert (await call.read()).event.type == "SessionClosed"


async def test_a_watch_ends_with_the_server(start_server: StartServer) -> None:
    server = await start_server()
    session = await create(server)
    call = watch(server, session.id)
    assert (await call.read()).event.sequence == 1
    stopping = asyncio.create_task(server.server.stop(5))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call.read()
    refusal = read_refusal(error.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    await stopping


async def test_a_watcher_that_reads_nothing_holds_up_nobody_and_gets_everything_later(server: Running) -> None:
    session = await create(server)
    stalled = watch(server, session.id)
    await stalled.initial_metadata()
    for at in range(60):
        await update(server, session.id, metadata={"x": "y" * 8_000, "at": at})
    await close(server, session.id)
    assert await read_to_end(stalled) == list(range(1, 63))


async def test_a_hundred_watchers_of_one_session_see_each_event_once(server: Running) -> None:
    session = await create(server)
    readers = [asyncio.create_task(read_to_end(watch(server, session.id))) for _ in range(100)]
    for at in range(10):
        await update(server, session.id, name=f"n{at}")
    await close(server, session.id)
    assert await asyncio.gather(*readers) == [list(range(1, 13))] * 100
    assert session.id not in server.engine._context.topics._topics
