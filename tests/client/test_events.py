"""The SDK's watch of a session against a server that breaks it in every way, and against a real one."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest
from tests.client.scripted import Naps, Refuse, Script, Step, reason, serving
from tests.rpc.serving import run_server

from sheetgrpc.client import NotFound, Reset, SessionEvent, Unavailable, connect
from sheetgrpc.v1.session_service_pb2 import WatchSessionRequest, WatchSessionResponse

BROKEN = Refuse(grpc.StatusCode.UNAVAILABLE, "connection reset")


def told(words: str) -> list[Step]:
    """Messages in short: `1` an event, `b1` a bookmark, `r1` a reset, `?` what a newer server sends, `x` a break."""
    return [_step(word) for word in words.split()]


def _step(word: str) -> Step:
    if word == "x":
        return BROKEN
    if word == "?":
        return WatchSessionResponse()
    if word.startswith("b"):
        return WatchSessionResponse(bookmark={"sequence": int(word[1:])})
    if word.startswith("r"):
        return WatchSessionResponse(reset={"sequence": int(word[1:])})
    return WatchSessionResponse(event={"sequence": int(word)})


async def sequences(events: AsyncIterator[SessionEvent | Reset]) -> list[int]:
    return [event.sequence async for event in events]


def scripted(*calls: Sequence[Step]) -> Script:
    script = Script()
    script.on("WatchSession", *calls)
    return script


async def test_a_watch_goes_on_after_the_last_sequence_it_was_told() -> None:
    script, naps = scripted(told("1 2 x"), told("x"), told("3 b7 ? x"), told("8")), Naps()
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        assert await sequences(client.sessions.watch("s")) == [1, 2, 3, 8]
    assert [request.after_sequence for request in script.requests(WatchSessionRequest)] == [0, 2, 2, 7]
    assert len(naps.taken) == 3


async def test_a_watch_goes_on_after_a_reset_and_is_of_that_store_from_then_on() -> None:
    """Else each connection would begin with a reset."""
    script, naps = scripted(told("1 x"), told("r7 8 x"), told("9")), Naps()
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        assert await sequences(client.sessions.watch("s", incarnation="old")) == [1, 7, 8, 9]
    sent = script.requests(WatchSessionRequest)
    assert [(one.after_sequence, one.incarnation) for one in sent] == [(0, "old"), (1, "old"), (8, "")]


async def test_a_watch_is_given_up_after_so_many_failures_in_a_row() -> None:
    script, naps = scripted(told("1 x"), told("x"), told("x")), Naps()
    async with serving(script) as address, connect(address, retry=naps.retry(attempts=3)) as client:
        watched = client.sessions.watch("s", after_sequence=0)
        assert (await anext(watched)).sequence == 1
        with pytest.raises(Unavailable):
            await anext(watched)
        assert watched.sequence == 1


async def test_a_refused_watch_is_not_tried_again() -> None:
    script = scripted([Refuse(grpc.StatusCode.NOT_FOUND, details=[reason("SESSION_NOT_FOUND")])])
    async with serving(script) as address, connect(address) as client:
        with pytest.raises(NotFound):
            await sequences(client.sessions.watch("s"))


async def test_labels_updates_and_events_of_a_real_server(tmp_path: Path) -> None:
    async with run_server(f"sqlite:///{tmp_path}/test.db") as server, connect(server.server.address) as client:
        session = await client.sessions.create("n", role="r", metadata={"a": 1})
        await session.label("found-so")
        await session.update(role="", metadata={"a": None, "b": {"c": 1}})
        assert (session.now.name, session.now.role, dict(session.now.metadata)["b"]["c"]) == ("n", "", 1)
        assert "a" not in session.now.metadata.fields
        assert (await client.sessions.get("found-so")).id == session.id
        await session.close()
        assert await sequences(client.sessions.events("found-so", page_size=2)) == [1, 2, 3, 4]
        async with client.sessions.watch("found-so", after_sequence=1) as watched:
            assert [event.type async for event in watched if isinstance(event, SessionEvent)] == [
                "LabelGiven",
                "SessionUpdated",
                "SessionClosed",
            ]
