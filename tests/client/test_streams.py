"""Streams of executions against a real server that breaks them in every way."""

import asyncio
from collections.abc import Callable, Sequence

import grpc
import pytest
from google.protobuf.message import Message
from tests.client.scripted import Naps, Refuse, Script, Wait, execution, reason, serving, session

from sheetgrpc.client import (
    Client,
    Conflict,
    ExecutionStream,
    Finished,
    NotAllowed,
    NotFound,
    PhaseCompleted,
    PhaseStarted,
    Progress,
    Snapshot,
    Unavailable,
    Update,
    connect,
)
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.session_pb2 import Session

RUN = Execution(id="RUN", statements_total=4)
BROKEN = Refuse(grpc.StatusCode.UNAVAILABLE, "connection reset")


def script_of(kind: type[Message]) -> Callable[..., list[Message]]:
    """Messages of one stream by their tokens: s = snapshot, 1.. = phases, h = heartbeat, f = finished."""

    def messages(tokens: str) -> list[Message]:
        bodies: dict[str, dict[str, object]] = {
            "s": {"snapshot": RUN},
            "f": {"finished": RUN},
            "h": {"heartbeat": True},
        }
        return [
            kind(
                epoch=1, resume_token=f"t{one}", **bodies.get(one, {"phase_started": PhaseStarted(depth=ord(one) - 48)})
            )
            for one in tokens
        ]

    return messages


executed = script_of(execution.ExecuteSheetResponse)
watched = script_of(execution.WatchExecutionResponse)


async def execute(client: Client, **options: object) -> ExecutionStream:
    made = await client.sessions.create()
    return made.execute_sheet(confirm=True, **options)  # type: ignore[arg-type]  # options of several types


def prepared(*streams: Sequence[object]) -> Script:
    script = Script()
    script.on("CreateSession", [session.CreateSessionResponse(session=Session(id="01J"))])
    script.on("ExecuteSheet", *streams)  # type: ignore[arg-type]  # Message | Refuse | Wait
    return script


async def seen(stream: ExecutionStream) -> str:
    return "".join([letter(update) async for update in stream])


def letter(update: Update) -> str:
    match update:
        case Snapshot():
            return "s"
        case Finished():
            return "f"
        case PhaseStarted():
            return str(update.depth)
        case _:
            raise AssertionError(update)


async def test_a_whole_stream_is_read_to_its_end() -> None:
    script = prepared(executed("s01hf"))
    async with serving(script) as address, connect(address) as client:
        stream = await execute(client, include_results=True, mode="BEST_EFFORT", expected_version=3)
        assert await seen(stream) == "s01f"
    assert (stream.execution_id, stream.resume_token) == ("RUN", "tf")
    (asked,) = script.requests(execution.ExecuteSheetRequest)
    assert (asked.session, asked.confirm, asked.mode, asked.include_results, asked.expected_version) == (
        "01J",
        True,
        3,
        True,
        3,
    )
    assert asked.request_id == stream.request_id
    assert not asked.HasField("timeout")


async def test_updates_come_as_what_they_are() -> None:
    kind = execution.WatchExecutionResponse
    script = Script()
    script.on(
        "WatchExecution",
        [
            kind(snapshot=RUN),
            kind(phase_completed=PhaseCompleted(last_depth=2)),
            kind(statements=execution.StatementResults()),
            kind(progress=Progress(completed=1, total=4)),
            kind(),  # an update of a newer server
            kind(finished=RUN),
        ],
    )
    async with serving(script) as address, connect(address) as client:
        updates = [update async for update in client.executions.watch("RUN")]
    assert updates == [
        Snapshot(RUN),
        PhaseCompleted(last_depth=2),
        execution.StatementResults(),
        Progress(completed=1, total=4),
        Finished(RUN),
    ]


async def test_a_broken_stream_goes_on_after_the_last_message() -> None:
    script, naps = prepared([*executed("s01"), BROKEN]), Naps()
    script.on("WatchExecution", [*watched("2h"), BROKEN], watched("3f"))
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        assert await seen(await execute(client, include_results=True)) == "s0123f"
    asked = script.requests(execution.WatchExecutionRequest)
    assert [(one.execution, one.resume_token, one.include_results) for one in asked] == [
        ("RUN", "t1", True),
        ("RUN", "th", True),
    ]
    assert naps.taken == [0.1, 0.1]


async def test_a_stream_that_broke_before_its_first_message_is_asked_for_again_with_its_request_id() -> None:
    script, naps = prepared([BROKEN], [Refuse(grpc.StatusCode.CANCELLED)], executed("s0f")), Naps()
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        stream = await execute(client)
        assert await seen(stream) == "s0f"
    asked = script.requests(execution.ExecuteSheetRequest)
    assert len(asked) == 3
    assert {one.request_id for one in asked} == {stream.request_id}
    assert naps.taken == [0.1, 0.2]


async def test_a_stream_that_ends_before_finished_goes_on() -> None:
    script, naps = prepared(executed("s0")), Naps()
    script.on("WatchExecution", watched("1f"))
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        assert await seen(await execute(client)) == "s01f"


async def test_a_silent_stream_is_opened_anew() -> None:
    script, naps = prepared([*executed("s0"), Wait(asyncio.Event().wait)]), Naps()
    script.on("WatchExecution", watched("1f"))
    async with serving(script) as address, connect(address, retry=naps.retry(), silence=0.2) as client:
        assert await seen(await execute(client)) == "s01f"
    assert naps.taken == [0.1]


async def test_a_snapshot_after_a_gap_is_told() -> None:
    script = prepared([*executed("s0"), BROKEN])
    script.on("WatchExecution", watched("sf"))
    async with serving(script) as address, connect(address, retry=Naps().retry()) as client:
        assert await seen(await execute(client)) == "s0sf"


async def test_a_server_that_breaks_after_each_snapshot_is_given_up() -> None:
    script, naps = prepared([*executed("s"), BROKEN]), Naps()
    script.on("WatchExecution", *[[*watched("s"), BROKEN]] * 3)
    async with serving(script) as address, connect(address, retry=naps.retry(attempts=4)) as client:
        stream = await execute(client)
        with pytest.raises(Unavailable) as raised:
            await seen(stream)
    assert len(naps.taken) == 3
    assert raised.value.request_id == stream.request_id


async def test_a_stream_that_moves_on_may_break_again_and_again() -> None:
    script, naps = prepared([*executed("s0"), BROKEN]), Naps()
    script.on("WatchExecution", *[[*watched(str(depth)), BROKEN] for depth in range(1, 9)], watched("9f"))
    async with serving(script) as address, connect(address, retry=naps.retry(attempts=2)) as client:
        assert await seen(await execute(client)) == "s0123456789f"


@pytest.mark.parametrize(
    ("code", "kind"), [(grpc.StatusCode.FAILED_PRECONDITION, NotAllowed), (grpc.StatusCode.ABORTED, Conflict)]
)
async def test_a_refusal_is_raised_at_once(code: grpc.StatusCode, kind: type[Exception]) -> None:
    script, naps = prepared([Refuse(code, "not now", [reason("ACTION_NOT_ALLOWED")])]), Naps()
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        stream = await execute(client)
        with pytest.raises(kind):
            await anext(stream)
        assert [update async for update in stream] == []
    assert naps.taken == []


async def test_an_execution_that_is_gone_after_a_break_is_told() -> None:
    script = prepared([*executed("s0"), BROKEN])
    script.on("WatchExecution", [Refuse(grpc.StatusCode.NOT_FOUND, "gone", [reason("EXECUTION_NOT_FOUND")])])
    async with serving(script) as address, connect(address, retry=Naps().retry()) as client:
        with pytest.raises(NotFound) as raised:
            await (await execute(client)).finished()
    assert raised.value.reason == "EXECUTION_NOT_FOUND"


async def test_a_stale_plan_is_raised_after_finished() -> None:
    stale = Refuse(grpc.StatusCode.FAILED_PRECONDITION, "stale", [reason("PLAN_STALE")])
    script = prepared([*executed("sf"), stale])
    async with serving(script) as address, connect(address) as client:
        stream = await execute(client)
        updates = [letter(await anext(stream)), letter(await anext(stream))]
        with pytest.raises(NotAllowed) as raised:
            await anext(stream)
    assert updates == ["s", "f"]
    assert raised.value.reason == "PLAN_STALE"


async def test_a_connection_lost_after_finished_does_not_matter() -> None:
    script, naps = prepared([*executed("sf"), BROKEN]), Naps()
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        assert await seen(await execute(client)) == "sf"
    assert naps.taken == []


async def test_finished_returns_the_execution_as_it_ended() -> None:
    async with serving(prepared(executed("s0f"))) as address, connect(address) as client:
        assert await (await execute(client)).finished() == RUN


async def test_watching_goes_on_from_a_token_of_another_process() -> None:
    script = Script()
    script.on("WatchExecution", watched("1f"))
    async with serving(script) as address, connect(address) as client:
        assert await seen(client.executions.watch("RUN", resume_token="t0")) == "1f"
    (asked,) = script.requests(execution.WatchExecutionRequest)
    assert asked.resume_token == "t0"


async def test_leaving_a_stream_ends_its_call() -> None:
    left = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    script = prepared([*executed("s"), Wait(hang)])
    async with serving(script) as address, connect(address) as client:
        async with await execute(client) as stream:
            await anext(stream)
        await left.wait()
        assert [update async for update in stream] == []


async def test_a_cancel_of_the_callers_own_is_passed_on() -> None:
    waiting = asyncio.Event()

    async def hang() -> None:
        waiting.set()
        await asyncio.Event().wait()

    script, naps = prepared([*executed("s"), Wait(hang)]), Naps()
    async with serving(script) as address, connect(address, retry=naps.retry()) as client:
        task = asyncio.create_task(seen(await execute(client)))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert naps.taken == []
