"""Sessions found and listed over the wire: prefixes, labels of every kind, filters, pages while others are made."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, refused, run_server
from tests.rpc.test_details import COMPLETED, create, get, label

from sheetgrpc.v1.session_pb2 import Client, Session
from sheetgrpc.v1.session_service_pb2 import (
    CloseSessionRequest,
    CreateSessionRequest,
    GetSessionRequest,
    LabelSessionRequest,
    ListSessionsRequest,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def listed(server: Running, **fields: Any) -> list[Session]:
    request = ListSessionsRequest(**fields)
    found: list[Session] = []
    while True:
        page = await server.sessions.ListSessions(request)
        found += page.sessions
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def lost(server: Running, name: str) -> str:
    refusal = await refused(server.sessions.GetSession(GetSessionRequest(session=name)))
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    return refusal.reason


async def test_a_prefix_of_six_characters_is_tried_and_one_of_five_is_not(start_server: StartServer) -> None:
    """D-37, F1, F2: 5, 6 and 26 characters, in mixed case; what is not found is NOT_FOUND and nothing else."""
    server = await start_server()
    session = await create(server)
    mixed = "".join(one.lower() if at % 2 else one for at, one in enumerate(session.id))
    for name in (session.id[:6], mixed[:6], mixed[:13], mixed[:25], mixed):
        assert await get(server, name) == session
    for name in (session.id[:5], session.id[:1], session.id + "0", f" {session.id}"):
        assert await lost(server, name) == "SESSION_NOT_FOUND"


async def test_of_two_matches_both_are_told_and_neither_is_taken(start_server: StartServer) -> None:
    """D-37, F3, Z-a: sessions made within minutes of each other begin alike; the whole id always tells them apart."""
    server = await start_server()
    first, second = await create(server), await create(server)
    refusal = await refused(server.sessions.GetSession(GetSessionRequest(session=first.id[:6].lower())))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SESSION_AMBIGUOUS")
    assert refusal.metadata["candidates"].split(",") == [first.id, second.id]
    assert [await get(server, one.id) for one in (first, second)] == [first, second]


@pytest.mark.parametrize("length", [6, 13, 25, 26])
@pytest.mark.parametrize("case", [str.upper, str.lower])
async def test_a_label_that_could_be_an_id_or_its_prefix_is_refused(server: Running, length: int, case: Any) -> None:
    """D-37, Z-b: else the session with that id would shadow it."""
    session = await create(server)
    text = case(session.id[:length])
    for call in (
        server.sessions.LabelSession(LabelSessionRequest(session=session.id, label=text)),
        server.sessions.LabelSession(LabelSessionRequest(session=session.id, label=f"  {text} ")),
        server.sessions.CreateSession(CreateSessionRequest(labels=[text])),
    ):
        assert (await refused(call)).reason == "LABEL_RESERVED"


async def test_a_label_of_five_characters_of_an_id_is_a_label(server: Running) -> None:
    """F1: five characters are never tried as a prefix."""
    session = await create(server)
    await label(server, session.id, session.id[:5])
    assert (await get(server, session.id[:5])).id == session.id
    assert await lost(server, session.id[:5].lower()) == "SESSION_NOT_FOUND"


@pytest.mark.parametrize(
    "text",
    [
        "Löhne März",
        "الرواتب",
        "\u202eevil\u202c",
        "给料 2026",
        "👩‍👩‍👧",
        "pay\u200broll",
        "e\u0301",
        "ΩΩΩΩΩΩ",
        "x" * 128,
        "01234u",  # u is no letter of an id
        "812345",  # no id begins with an 8
        "K" * 5 + "\u212a",  # the Kelvin sign is no K
    ],
)
async def test_a_label_of_any_script_is_found_as_it_is_and_not_as_it_looks(server: Running, text: str) -> None:
    """D-37: unicode, right to left, zero width."""
    session = await create(server)
    after = await label(server, session.id, text)
    assert list(after.labels) == [text]
    assert (await get(server, text)).id == session.id
    assert [one.id for one in await listed(server, label=text)] == [session.id]
    assert await lost(server, text[1:] + "\u200b") == "SESSION_NOT_FOUND"


@pytest.mark.parametrize(
    "text", ["", " ", "\t\n ", "\u00a0\u2003", "\u200b", "\u200b\u200e \u2060", "x" * 200_000, "x" * 129, "a\x00b"]
)
async def test_a_label_with_nothing_to_see_or_too_much_of_it_is_refused(server: Running, text: str) -> None:
    """D-37, S1, Z-g: empty after trimming, zero width alone, 200 KB."""
    session = await create(server)
    refusal = await refused(server.sessions.LabelSession(LabelSessionRequest(session=session.id, label=text)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert await get(server, session.id) == session


async def test_labels_that_differ_by_spaces_around_them_are_one(server: Running) -> None:
    """D-37, S1: trimmed duplicates."""
    session = await create(server, labels=["trimmed once", "  trimmed once\t", "\u00a0trimmed once"])
    assert list(session.labels) == ["trimmed once"]
    after = await label(server, (await create(server)).id, "  trimmed once ")
    assert list(after.labels) == ["trimmed once"]
    assert (await get(server, "trimmed once")).id == after.id
    assert list((await get(server, session.id)).labels) == []


async def test_a_label_for_a_session_that_is_not_there_is_refused(server: Running) -> None:
    """D-37: a label cannot point to nothing."""
    request = LabelSessionRequest(session="7" * 26, label="of-nobody")
    assert (await refused(server.sessions.LabelSession(request))).reason == "SESSION_NOT_FOUND"
    assert await lost(server, "of-nobody") == "SESSION_NOT_FOUND"


async def test_rows_of_a_list_carry_what_there_is_to_know_of_a_session(start_server: StartServer) -> None:
    """The seed's summary, L3, D-42: id, started, ended or nothing, client, parent, and the true number of events."""
    server = await start_server()
    client = Client(name="agent", version="1.2", target="paper")
    ended = await create(server, client=client, labels=["kept"])
    for at in range(3):
        await label(server, ended.id, f"label {at}")
    await server.sessions.CloseSession(CloseSessionRequest(session=ended.id, outcome=COMPLETED))
    live = await create(server)
    first, second = await listed(server)
    assert (first.id, first.create_time, first.event_count, first.parent_id) == (live.id, live.create_time, 1, "")
    assert not first.HasField("end_time")
    assert (second.id, second.client, second.event_count) == (ended.id, client, 5)
    assert second.end_time == second.update_time


async def test_a_session_that_its_server_left_is_not_said_to_have_ended(url: str) -> None:
    """L4, W1: an end is recorded by whoever ends a session, never made up when it is read. S1: labels live on."""
    async with run_server(url) as server:
        session = await create(server, labels=["left behind"])
    async with run_server(url) as server:
        found = await get(server, "left behind")
        assert found == session
        assert not found.HasField("end_time")
        assert not (await listed(server))[0].HasField("end_time")


async def test_lists_filter_by_client_and_by_time(start_server: StartServer) -> None:
    server = await start_server()
    made = [
        await create(server, name="a", client=Client(name="agent", target="paper")),
        await create(server, name="b", client=Client(name="agent", target="live"), role="r"),
        await create(server, name="c", client=Client(name="cli", target="live")),
        await create(server, name="d"),
    ]
    at = [one.create_time for one in made]
    for wanted, names in [
        ({}, "dcba"),
        ({"client_name": "agent"}, "ba"),
        ({"client_target": "live"}, "cb"),
        ({"client_name": "agent", "client_target": "live"}, "b"),
        ({"client_name": "agent", "role": "r"}, "b"),
        ({"client_name": "cli", "role": "r"}, ""),
        ({"client_name": "Agent"}, ""),
        ({"created_after": at[1]}, "dcb"),
        ({"created_before": at[2]}, "ba"),
        ({"created_after": at[1], "created_before": at[3]}, "cb"),
        ({"created_after": at[2], "created_before": at[2]}, ""),
        ({"created_after": at[1], "client_target": "live"}, "cb"),
        ({"created_before": Timestamp(seconds=-62_135_596_800)}, ""),
        ({"created_after": Timestamp(seconds=253_402_300_799, nanos=999_999_999)}, ""),
    ]:
        for size in (1, 3):
            found = await listed(server, page_size=size, **wanted)
            assert [one.name for one in found] == list(names), wanted


async def test_a_part_of_a_microsecond_is_no_reason_to_be_left_out(start_server: StartServer) -> None:
    server = await start_server()
    made = (await create(server)).create_time
    just_before, just_after = (Timestamp(seconds=made.seconds, nanos=made.nanos + more) for more in (-1, 1))
    assert await listed(server, created_after=just_before)
    assert not await listed(server, created_after=just_after)
    assert await listed(server, created_before=just_after)
    assert not await listed(server, created_before=made)


async def test_times_that_are_none_are_refused(server: Running) -> None:
    request = ListSessionsRequest(
        created_after=Timestamp(seconds=2**62), created_before=Timestamp(nanos=-1), client_name="\0", client_target="\n"
    )
    refusal = await refused(server.sessions.ListSessions(request))
    fields = {one.field for one in refusal.details["BadRequest"].field_violations}
    assert fields == {"created_after", "created_before", "client_name", "client_target"}


@pytest.mark.parametrize(("size", "first"), [(0, 20), (1, 1), (1000, 30), (1001, 30), (100_000, 30)])
async def test_a_page_has_as_many_as_asked_for_within_its_bounds(
    start_server: StartServer, size: int, first: int
) -> None:
    """L2, D-41: 0, 1, the most, more than the most."""
    server = await start_server()
    made = [(await create(server)).id for _ in range(30)]
    page = await server.sessions.ListSessions(ListSessionsRequest(page_size=size))
    assert [one.id for one in page.sessions] == made[::-1][:first]
    assert bool(page.next_page_token) is (first < 30)


@pytest.mark.parametrize("fields", [{}, {"client_name": "agent"}, {"client_target": "live"}, {"role": "r"}])
async def test_pages_neither_skip_nor_repeat_while_others_are_made(
    start_server: StartServer, fields: dict[str, str]
) -> None:
    """D-41: whatever is created, labelled or closed between two pages."""
    server = await start_server()
    client = Client(name="agent", target="live")
    made = [await create(server, client=client, role="r") for _ in range(25)]

    async def disturb() -> None:
        for at in range(20):
            other = await create(server, client=client, role="r")
            await label(server, made[at].id, f"disturbed {at}")
            await server.sessions.CloseSession(CloseSessionRequest(session=other.id, outcome=COMPLETED))

    disturbing = asyncio.create_task(disturb())
    found = [one.id for one in await listed(server, page_size=3, **fields)]
    await disturbing
    assert len(found) == len(set(found))
    there = {one.id for one in made}
    assert [one for one in found if one in there] == [one.id for one in reversed(made)]


async def test_a_database_that_cannot_be_read_is_not_a_session_that_is_not_there(start_server: StartServer) -> None:
    """F2, X1: none is NOT_FOUND, a failure of the store is UNAVAILABLE; a list that fails tells nothing in part."""
    server = await start_server()
    await create(server, labels=["out of reach"])
    await server.engine.store.close()
    for call in (
        server.sessions.GetSession(GetSessionRequest(session="out of reach")),
        server.sessions.GetSession(GetSessionRequest(session="never there")),
        server.sessions.ListSessions(ListSessionsRequest()),
        server.sessions.LabelSession(LabelSessionRequest(session="out of reach", label="x")),
    ):
        assert (await refused(call)).code is grpc.StatusCode.UNAVAILABLE
