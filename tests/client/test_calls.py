"""Unary calls against a real server: request ids, retries, deadlines, trailers, pages."""

import asyncio
import socket
import uuid

import grpc
import pytest
from tests.client.scripted import Naps, Refuse, Script, Wait, reason, retry_after, serving, session, sheet

from sheetgrpc.client import (
    AlreadyExists,
    Conflict,
    DeadlineExceeded,
    Retry,
    SheetgrpcError,
    Unavailable,
    connect,
)
from sheetgrpc.v1.session_pb2 import Session
from sheetgrpc.v1.statement_pb2 import Statement

DOWN = Refuse(grpc.StatusCode.UNAVAILABLE, "shutting down", [reason("SHUTTING_DOWN")])
MADE = session.CreateSessionResponse(session=Session(id="01J", version=1))


def ids(script: Script, kind: type = session.CreateSessionRequest) -> list[str]:
    return [request.request_id for request in script.requests(kind)]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_a_call_that_was_not_judged_is_sent_again_with_its_request_id(code: grpc.StatusCode) -> None:
    script, naps = Script(), Naps()
    script.on("CreateSession", [Refuse(code)], [Refuse(code)], [MADE])
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        made = await client.sessions.create("nightly")
    assert made.id == "01J"
    assert len(ids(script)) == 3
    assert len(set(ids(script))) == 1
    assert uuid.UUID(ids(script)[0]).version == 4
    assert naps.taken == [0.1, 0.2]


async def test_every_command_has_a_request_id_of_its_own_unless_it_is_given_one() -> None:
    script = Script()
    script.on("CreateSession", [MADE], [MADE], [MADE])
    async with serving(script) as address, connect(address) as client:
        await client.sessions.create()
        await client.sessions.create()
        await client.sessions.create(request_id="mine")
    assert len(set(ids(script))) == 3
    assert ids(script)[2] == "mine"


async def test_a_server_that_names_a_delay_is_given_it() -> None:
    script, naps = Script(), Naps()
    script.on("CreateSession", [Refuse(grpc.StatusCode.UNAVAILABLE, "busy", [retry_after(3)])], [MADE])
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        await client.sessions.create()
    assert naps.taken == [3.1]


async def test_retries_are_bounded_and_the_last_error_is_raised_with_its_request_id() -> None:
    script, naps = Script(), Naps()
    script.on("CreateSession", *[[DOWN]] * 3)
    async with serving(script) as address, connect(address, retry=naps.retry(attempts=3)) as client:
        with pytest.raises(Unavailable) as raised:
            await client.sessions.create()
    assert raised.value.reason == "SHUTTING_DOWN"
    assert raised.value.request_id == ids(script)[0]
    assert len(naps.taken) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [(grpc.StatusCode.ALREADY_EXISTS, AlreadyExists), (grpc.StatusCode.ABORTED, Conflict)],
)
async def test_a_call_that_was_judged_is_not_sent_again(code: grpc.StatusCode, kind: type[SheetgrpcError]) -> None:
    script, naps = Script(), Naps()
    script.on("CreateSession", [Refuse(code)])
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        with pytest.raises(kind):
            await client.sessions.create()
    assert naps.taken == []


async def test_a_server_that_never_answers_ends_in_deadline_exceeded() -> None:
    script = Script()
    script.on("CreateSession", [Wait(asyncio.Event().wait)])
    async with serving(script) as address, connect(address, deadline=0.2) as client:
        with pytest.raises(DeadlineExceeded) as raised:
            await client.sessions.create(request_id="mine")
    assert raised.value.request_id == "mine"


async def test_a_pause_beyond_the_deadline_is_not_taken() -> None:
    script, naps = Script(), Naps()
    script.on("CreateSession", [Refuse(grpc.StatusCode.UNAVAILABLE, "busy", [retry_after(60)])])
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        with pytest.raises(Unavailable):
            await client.sessions.create(deadline=30.0)
    assert naps.taken == []


async def test_a_cancel_of_the_callers_own_is_passed_on_and_not_retried() -> None:
    script, naps, started = Script(), Naps(), asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    script.on("CreateSession", [Wait(hang)])
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        task = asyncio.create_task(client.sessions.create())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert naps.taken == []
    assert len(script.asked) == 1


async def test_a_call_under_which_the_client_is_closed_ends_as_unavailable() -> None:
    script, started = Script(), asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    script.on("CreateSession", [Wait(hang)])
    async with serving(script) as address, connect(address) as client:
        task = asyncio.create_task(client.sessions.create())
        await started.wait()
        await client.close()
        with pytest.raises(Unavailable, match="closed"):
            await task


async def test_a_server_that_comes_back_is_found() -> None:
    script = Script()
    script.on("CreateSession", [MADE])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    waiting = asyncio.Event()

    async def nap(seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(0.05)

    retry = Retry(attempts=200, sleep=nap)
    async with connect(f"127.0.0.1:{port}", retry=retry) as client:
        task = asyncio.create_task(client.sessions.create())
        await waiting.wait()
        async with serving(script, port):
            assert (await task).id == "01J"


@pytest.mark.parametrize(("trailers", "replayed"), [((), False), ((("sheetgrpc-replayed", "true"),), True)])
async def test_a_replayed_answer_is_told(trailers: tuple[tuple[str, str], ...], replayed: bool) -> None:
    script = Script(trailers=trailers)
    script.on("CreateSession", [MADE])
    script.on("ConfirmIntent", [session.ConfirmIntentResponse(session=Session(id="01J", version=2))])
    async with serving(script) as address, connect(address) as client:
        made = await client.sessions.create()
        assert made.replayed is replayed
        await made.confirm_intent()
        assert made.replayed is replayed


async def test_the_handle_keeps_the_newest_state_it_was_told() -> None:
    script = Script()
    script.on("CreateSession", [session.CreateSessionResponse(session=Session(id="01J", version=7, name="now"))])
    script.on("ConfirmIntent", [session.ConfirmIntentResponse(session=Session(id="01J", version=3, name="then"))])
    script.on("GetSession", [session.GetSessionResponse(session=Session(id="01J", version=7, name="anew"))])
    async with serving(script) as address, connect(address) as client:
        made = await client.sessions.create()
        await made.confirm_intent()
        assert made.now.name == "now"
        assert (await made.refresh()).name == "anew"


async def test_expected_version_goes_along_only_where_it_is_given() -> None:
    script = Script()
    script.on("CreateSession", [MADE])
    script.on("ConfirmIntent", *[[session.ConfirmIntentResponse(session=Session(id="01J"))]] * 2)
    async with serving(script) as address, connect(address) as client:
        made = await client.sessions.create()
        await made.confirm_intent()
        await made.confirm_intent(expected_version=0)
    first, second = script.requests(session.ConfirmIntentRequest)
    assert not first.HasField("expected_version")
    assert second.HasField("expected_version")
    assert second.expected_version == 0


async def test_a_list_is_read_page_by_page() -> None:
    script = Script()
    script.on(
        "ListStatements",
        [sheet.ListStatementsResponse(statements=[Statement(index=0), Statement(index=1)], next_page_token="b")],
        [Refuse(grpc.StatusCode.UNAVAILABLE)],
        [sheet.ListStatementsResponse(statements=[], next_page_token="c")],
        [sheet.ListStatementsResponse(statements=[Statement(index=2)])],
    )
    async with serving(script) as address, connect(address, retry=Naps().retry()) as client:
        found = [one.index async for one in client.sheets.statements(session="01J", depth=0, page_size=2)]
    assert found == [0, 1, 2]
    asked = script.requests(sheet.ListStatementsRequest)
    assert [one.page_token for one in asked] == ["", "b", "b", "c"]
    assert {(one.session, one.depth, one.page_size) for one in asked} == {("01J", 0, 2)}


async def test_reads_of_a_sheet_need_one_target() -> None:
    async with connect("127.0.0.1:1") as client:
        for target in ({}, {"session": "a", "sheet_id": "b"}):
            with pytest.raises(ValueError, match="session or sheet_id"):
                client.sheets.statements(**target)


async def test_a_scope_needs_one_selector() -> None:
    script = Script()
    script.on("CreateSession", [MADE])
    async with serving(script) as address, connect(address) as client:
        made = await client.sessions.create()
        for selector in ({}, {"everything": True, "entity_ids": ["k"]}, {"equals": {"a": "b"}, "everything": True}):
            with pytest.raises(ValueError, match="exactly one"):
                await made.set_scope("cbu", **selector)


@pytest.mark.parametrize(
    ("failures", "drawn", "pause"),
    [(1, 0.0, 0.05), (1, 1.0, 0.1), (2, 1.0, 0.2), (6, 1.0, 3.2), (7, 1.0, 5.0), (7, 0.0, 2.5), (8, 1.0, None)],
)
def test_pauses_double_to_a_bound_and_are_jittered(failures: int, drawn: float, pause: float | None) -> None:
    assert Retry(random=lambda: drawn).pause(Unavailable("down"), failures) == pause
