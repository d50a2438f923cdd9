"""AppendSessionEvents: lines of a terminal recorded once, whole, in any state; GetSession with the end of the log."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from tests.rpc.conftest import StartServer
from tests.rpc.guarantees import check, record
from tests.rpc.serving import Running, read_refusal, refused
from tests.rpc.test_details import COMPLETED, create, events, get, update

from sheetgrpc.v1 import session_service_pb2 as pb
from sheetgrpc.v1.session_pb2 import Client

pytestmark = pytest.mark.asyncio(loop_scope="session")

KINDS = ("PROMPT", "SYSTEM", "COMMAND", "WARN", "ALERT")
WARN = pb.SESSION_ENTRY_KIND_WARN


def line(text: str, kind: str = "WARN", data: dict[str, Any] | None = None) -> pb.SessionEntry:
    return pb.SessionEntry(kind=pb.SessionEntryKind.Value(f"SESSION_ENTRY_KIND_{kind}"), text=text, data=data)


async def append(
    server: Running, session: str, entries: Sequence[pb.SessionEntry], **more: Any
) -> pb.AppendSessionEventsResponse:
    request = pb.AppendSessionEventsRequest(session=session, entries=entries, **more)
    answer: pb.AppendSessionEventsResponse = await server.sessions.AppendSessionEvents(request)
    return answer


async def resume(server: Running, session: str, **more: Any) -> pb.GetSessionResponse:
    answer: pb.GetSessionResponse = await server.sessions.GetSession(pb.GetSessionRequest(session=session, **more))
    return answer


async def close(server: Running, session: str) -> None:
    await server.sessions.CloseSession(pb.CloseSessionRequest(session=session, outcome=COMPLETED))


async def test_lines_are_recorded_in_order_with_their_kinds_and_data(server: Running) -> None:
    """The seed's kinds of events, E1: oldest first, with the times they were recorded at."""
    session = await create(server)
    entries = [line(f"{kind}\nsecond line\x1b[0m\0", kind, {"n": at, "deep": [None]}) for at, kind in enumerate(KINDS)]
    answer = await append(server, session.id, entries)
    assert (answer.session.version, answer.session.event_count) == (6, 6)
    assert answer.session == await get(server, session.id)
    assert [event.sequence for event in answer.events] == [2, 3, 4, 5, 6]
    assert [event.type for event in answer.events] == ["Prompt", "System", "Command", "Warn", "Alert"]
    assert MessageToDict(answer.events[1].payload) == {
        "text": "SYSTEM\nsecond line\x1b[0m\0",
        "data": {"n": 1.0, "deep": [None]},
    }
    assert (await events(server, session.id))[1:] == list(answer.events)
    assert [one.sequence for one in await events(server, session.id, types=["Warn", "Prompt"])] == [2, 5]
    assert {event.time.ToNanoseconds() for event in answer.events} == {answer.session.update_time.ToNanoseconds()}


async def test_a_repeat_records_nothing_again(server: Running) -> None:
    """R1, D-40: what is replayed is not recorded twice; a banner is recorded once however often it is sent."""
    session = await create(server)
    banner = [line("resuming", "SYSTEM"), line("12 events", "SYSTEM")]
    first = await append(server, session.id, banner, request_id="banner-1")
    for _ in range(5):
        assert await append(server, session.id, banner, request_id="banner-1") == first
        assert len((await resume(server, session.id, recent_events=200)).recent_events) == 3
    assert (await get(server, session.id)).event_count == 3
    reused = pb.AppendSessionEventsRequest(session=session.id, entries=banner[:1], request_id="banner-1")
    assert (await refused(server.sessions.AppendSessionEvents(reused))).reason == "REQUEST_ID_REUSED"


async def test_lines_of_another_version_than_expected_are_a_conflict_and_none_is_recorded(server: Running) -> None:
    session = await create(server)
    request = pb.AppendSessionEventsRequest(session=session.id, entries=[line("x")], expected_version=7)
    assert (await refused(server.sessions.AppendSessionEvents(request))).reason == "VERSION_CONFLICT"
    assert await get(server, session.id) == session


async def test_a_session_that_has_ended_takes_no_more_lines_and_shows_those_it_has(server: Running) -> None:
    session = await create(server)
    await append(server, session.id, [line("last words")])
    await close(server, session.id)
    request = pb.AppendSessionEventsRequest(session=session.id, entries=[line("too late")])
    assert (await refused(server.sessions.AppendSessionEvents(request))).reason == "SESSION_CLOSED"
    assert [one.type for one in (await resume(server, session.id, recent_events=9)).recent_events] == [
        "SessionCreated",
        "Warn",
        "SessionClosed",
    ]


HOSTILE: dict[str, tuple[list[pb.SessionEntry], list[str], str]] = {
    "nothing": ([], ["entries"], "INVALID_FIELD"),
    "no kind": ([pb.SessionEntry(text="x")], ["entries[0].kind"], "INVALID_FIELD"),
    "a newer kind": ([line("ok"), pb.SessionEntry(kind=9)], ["entries[1].kind"], "INVALID_FIELD"),  # type: ignore[arg-type]  # as it says
    "a text too long": ([line("x" * 16_385)], ["entries[0].text"], "INVALID_FIELD"),
    "data too large": ([line("x", data={"x": "y" * 16_384})], ["entries[0].data"], "INVALID_FIELD"),
    "no number": ([line("x", data={"x": float("nan")})], ["entries[0].data.x"], "INVALID_FIELD"),
    "too many": ([line("x")] * 101, [], "LIMIT_EXCEEDED"),
    "too large together": ([line("x" * 16_000)] * 66, [], "LIMIT_EXCEEDED"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_lines_of_bad_form_are_refused_and_none_is_recorded(server: Running, case: str) -> None:
    entries, fields, reason = HOSTILE[case]
    session = await create(server)
    request = pb.AppendSessionEventsRequest(session=session.id, entries=entries)
    refusal = await refused(server.sessions.AppendSessionEvents(request))
    assert refusal.reason == reason
    if fields:
        assert [one.field for one in refusal.details["BadRequest"].field_violations] == fields
    assert await get(server, session.id) == session


@pytest.mark.parametrize("seed", range(2))
async def test_watchers_get_lines_of_one_call_whole_over_random_disconnects(
    start_server: StartServer, seed: int
) -> None:
    """A transaction of many events is one step for whoever watches: no bookmark falls into it."""
    server = await start_server(heartbeat_interval=0.005)
    chance = random.Random(seed)
    session = (await create(server)).id
    boundaries = {1}

    async def seen(event: pb.SessionEvent) -> None:
        """Once one event of a call is there, all of them are."""
        if event.type == "Warn":
            last = int(event.payload["data"]["last"])
            assert (await get(server, session)).version >= event.sequence + last - int(event.payload["data"]["at"])

    async def write() -> None:
        for _ in range(12):
            count = chance.choice([1, 3, 4, 5, 16, 17, 40])
            entries = [line("x", data={"at": at, "last": count - 1}) for at in range(count)]
            boundaries.add((await append(server, session, entries)).session.version)

    readers = [asyncio.create_task(record(server, session, random.Random(f"{seed} {at}"), seen)) for at in range(3)]
    await write()
    await close(server, session)
    log = await events(server, session, page_size=1000)
    boundaries.add(len(log))
    for recording in await asyncio.gather(*readers):
        assert check(recording, log, boundaries) == []


@pytest.mark.parametrize(("asked", "first"), [(1, 7), (3, 5), (6, 2), (7, 1), (8, 1), (1000, 1), (2**31 - 1, 1)])
async def test_a_session_is_resumed_with_the_last_of_its_events_in_order(
    server: Running, asked: int, first: int
) -> None:
    """Z-c of section 3: the last N, oldest first, and truthfully how many there are in all; D-41: 1 and beyond all."""
    session = await create(server)
    await append(server, session.id, [line(f"line {at}") for at in range(6)])
    found = await resume(server, session.id, recent_events=asked)
    assert [event.sequence for event in found.recent_events] == list(range(first, 8))
    assert found.session.event_count == 7
    assert list(found.recent_events) == (await events(server, session.id))[first - 1 :]


async def test_a_long_log_is_resumed_with_a_thousand_events_at_most(server: Running) -> None:
    session = await create(server)
    for at in range(11):
        await append(server, session.id, [line(f"{at} {number}") for number in range(100)])
    found = await resume(server, session.id, recent_events=5000)
    assert [event.sequence for event in found.recent_events] == list(range(102, 1102))
    assert found.session.event_count == 1101


async def test_events_that_do_not_fit_into_one_message_are_left_out_from_the_oldest_on(
    start_server: StartServer,
) -> None:
    server = await start_server()
    session = await create(server)
    for _ in range(5):
        await append(server, session.id, [line("x" * 10_000) for _ in range(100)])
    found = await resume(server, session.id, recent_events=1000)
    sequences = [event.sequence for event in found.recent_events]
    assert sequences == list(range(502 - len(sequences), 502))
    assert 300 < len(sequences) < 500
    assert found.session.event_count == 501


async def test_without_being_asked_for_events_and_warnings_are_not_told(server: Running) -> None:
    session = await create(server, client=Client(target="paper"))
    found = await resume(server, session.id)
    assert (found.session, list(found.recent_events), list(found.warnings)) == (session, [], [])


async def test_resuming_changes_nothing_however_often(server: Running) -> None:
    """R2, D-40: a session is looked at; what is shown is not recorded, and nothing else changes."""
    session = await create(server, client=Client(target="paper"))
    before = await append(server, session.id, [line("once")])
    for _ in range(10):
        assert (await resume(server, session.id, recent_events=5, client=Client(target="x"))).session == before.session


async def test_whoever_resumes_is_warned_of_what_is_not_as_it_was(server: Running) -> None:
    """Z-d, K2: another target or version is told, a line each; what was not recorded is told to be unknown."""
    recorded = await create(server, client=Client(name="agent", version="1", target="paper"))
    now = Client(name="agent", version="2", target="live")
    told = list((await resume(server, recorded.id, client=now)).warnings)
    assert len(told) == 2
    assert all(word in told[0] for word in ('"live"', '"paper"'))
    assert all(word in told[1] for word in ('"2"', '"1"'))
    assert list((await resume(server, recorded.id, client=recorded.client)).warnings) == []
    (unknown,) = (await resume(server, (await create(server)).id, client=now)).warnings
    assert "unknown" in unknown


async def test_a_wrong_way_of_resuming_names_every_field(server: Running) -> None:
    request = pb.GetSessionRequest(session="", recent_events=-1, client=Client(target="a\nb"))
    refusal = await refused(server.sessions.GetSession(request))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    fields = [one.field for one in refusal.details["BadRequest"].field_violations]
    assert fields == ["session", "recent_events", "client.target"]


async def test_an_update_between_lines_keeps_its_place(server: Running) -> None:
    session = await create(server)
    await append(server, session.id, [line("before")])
    await update(server, session.id, name="between")
    await append(server, session.id, [line("after")])
    found = await resume(server, session.id, recent_events=3)
    assert [event.type for event in found.recent_events] == ["Warn", "SessionUpdated", "Warn"]


async def test_many_terminals_record_in_one_session_at_once_and_no_line_is_lost(server: Running) -> None:
    session = (await create(server)).id
    pairs = [[line(f"{at} first"), line(f"{at} second")] for at in range(30)]
    await asyncio.gather(*(append(server, session, pair) for pair in pairs))
    texts = [str(event.payload["text"]) for event in (await events(server, session, page_size=1000))[1:]]
    assert [one.split()[1] for one in texts] == ["first", "second"] * 30, "lines of two calls are mixed"
    assert [one.split()[0] for one in texts[::2]] == [one.split()[0] for one in texts[1::2]]
    assert sorted(texts) == sorted(entry.text for pair in pairs for entry in pair)


async def test_of_many_that_expect_one_version_one_records(server: Running) -> None:
    """Whoever comes late is judged by the version that is there, not by the one that it read."""
    session = await create(server)
    calls = (append(server, session.id, [line(f"{at}")], expected_version=1) for at in range(20))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [one for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
    assert len(refusals) == 19
    assert {read_refusal(one).reason for one in refusals} == {"VERSION_CONFLICT"}
    assert (await get(server, session.id)).event_count == 2
