"""Labels, names, roles, tasks and metadata over the wire, and the events that tell of their changes."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, refused

from sheetgrpc.v1 import session_pb2
from sheetgrpc.v1.session_service_pb2 import (
    CloseSessionRequest,
    CreateSessionRequest,
    GetSessionRequest,
    LabelSessionRequest,
    ListSessionEventsRequest,
    ListSessionsRequest,
    SessionEvent,
    UpdateSessionRequest,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPLETED = session_pb2.SESSION_LIFECYCLE_COMPLETED


async def create(server: Running, **fields: Any) -> session_pb2.Session:
    return (await server.sessions.CreateSession(CreateSessionRequest(**fields))).session


async def get(server: Running, name: str) -> session_pb2.Session:
    return (await server.sessions.GetSession(GetSessionRequest(session=name))).session


async def label(server: Running, session: str, text: str, **more: Any) -> session_pb2.Session:
    return (await server.sessions.LabelSession(LabelSessionRequest(session=session, label=text, **more))).session


async def update(server: Running, session: str, **fields: Any) -> session_pb2.Session:
    return (await server.sessions.UpdateSession(UpdateSessionRequest(session=session, **fields))).session


async def events(server: Running, session: str, **fields: Any) -> list[SessionEvent]:
    request = ListSessionEventsRequest(session=session, **fields)
    found: list[SessionEvent] = []
    while True:
        page = await server.sessions.ListSessionEvents(request)
        found += page.events
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def told(event: SessionEvent) -> tuple[int, str, dict[str, Any]]:
    return event.sequence, event.type, MessageToDict(event.payload)


async def test_a_session_is_found_by_a_label_given_later(server: Running) -> None:
    session = await create(server, labels=["given-first"])
    after = await label(server, session.id, "given-later")
    assert (list(after.labels), after.version) == (["given-first", "given-later"], 2)
    assert await get(server, "given-later") == after
    listed = await server.sessions.ListSessions(ListSessionsRequest(label="given-later"))
    assert [one.id for one in listed.sessions] == [session.id]


async def test_a_label_moves_and_the_session_that_had_it_loses_it_by_an_event_of_its_own(server: Running) -> None:
    had, gets = await create(server, labels=["moves", "stays"]), await create(server)
    after = await label(server, gets.id, "moves")
    assert list(after.labels) == ["moves"]
    lost = await get(server, had.id)
    assert (list(lost.labels), lost.version, lost.lifecycle) == (["stays"], 2, had.lifecycle)
    assert (await get(server, "moves")).id == gets.id
    assert told((await events(server, had.id))[-1]) == (2, "LabelLost", {"label": "moves", "to": gets.id})
    assert told((await events(server, gets.id))[-1]) == (2, "LabelGiven", {"label": "moves"})


async def test_a_label_moves_from_a_session_that_has_ended(server: Running) -> None:
    had, gets = await create(server, labels=["of-the-dead"]), await create(server)
    await server.sessions.CloseSession(CloseSessionRequest(session=had.id, outcome=COMPLETED))
    await label(server, gets.id, "of-the-dead")
    after = await get(server, had.id)
    assert (after.lifecycle, after.version, list(after.labels)) == (COMPLETED, 3, [])


async def test_a_repeat_of_a_label_gets_the_first_reply_and_does_not_move_it_back(server: Running) -> None:
    first, second = await create(server), await create(server)
    answer = await label(server, first.id, "once-only", request_id="label-once")
    await label(server, second.id, "once-only")
    assert await label(server, first.id, "once-only", request_id="label-once") == answer
    assert (await get(server, "once-only")).id == second.id


async def test_of_labels_that_many_want_at_once_one_session_has_it_in_the_end(server: Running) -> None:
    sessions = [await create(server) for _ in range(8)]
    await asyncio.gather(*(label(server, one.id, "wanted") for one in sessions))
    holders = [one.id for one in sessions if list((await get(server, one.id)).labels) == ["wanted"]]
    assert holders == [(await get(server, "wanted")).id]


@pytest.mark.parametrize(
    ("text", "reason"), [("012345", "LABEL_RESERVED"), ("", "INVALID_FIELD"), ("a\nb", "INVALID_FIELD")]
)
async def test_a_label_has_the_form_that_it_has_at_creation(server: Running, text: str, reason: str) -> None:
    session = await create(server)
    request = LabelSessionRequest(session=session.id, label=text)
    refusal = await refused(server.sessions.LabelSession(request))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert refusal.details["BadRequest"].field_violations[0].field == "label"
    assert await get(server, session.id) == session


@pytest.mark.parametrize("rpc", ["LabelSession", "UpdateSession"])
async def test_a_closed_session_takes_neither_label_nor_update(server: Running, rpc: str) -> None:
    session = await create(server)
    await server.sessions.CloseSession(CloseSessionRequest(session=session.id, outcome=COMPLETED))
    field = {"label": "too-late"} if rpc == "LabelSession" else {"name": "too late"}
    kind = {"LabelSession": LabelSessionRequest, "UpdateSession": UpdateSessionRequest}[rpc]
    refusal = await refused(getattr(server.sessions, rpc)(kind(session=session.id, **field)))
    assert refusal.reason == "SESSION_CLOSED"


async def test_an_update_changes_what_is_given_and_a_mask_clears(server: Running) -> None:
    """B4."""
    session = await create(server, name="n", role="r", task_id="t", metadata={"a": 1, "b": {"c": 2, "d": 3}})
    after = await update(server, session.id, role="other", metadata={"a": None, "b": {"c": None, "e": 4}})
    assert (after.name, after.role, after.task_id) == ("n", "other", "t")
    assert MessageToDict(after.metadata) == {"b": {"d": 3, "e": 4}}
    cleared = await update(server, session.id, role="not named", update_mask={"paths": ["task_id", "name"]})
    assert (cleared.name, cleared.role, cleared.task_id) == ("", "other", "")
    assert [one.id for one in (await server.sessions.ListSessions(ListSessionsRequest(role="other"))).sessions]
    assert told((await events(server, session.id))[1]) == (
        2,
        "SessionUpdated",
        {"name": None, "role": "other", "task_id": None, "metadata": {"b": {"d": 3, "e": 4}}},
    )


@pytest.mark.parametrize("fields", [{}, {"update_mask": {"paths": ["state"]}, "name": "x"}, {"update_mask": {}}])
async def test_an_update_of_nothing_or_of_what_cannot_be_updated_is_refused(
    server: Running, fields: dict[str, Any]
) -> None:
    session = await create(server)
    refusal = await refused(server.sessions.UpdateSession(UpdateSessionRequest(session=session.id, **fields)))
    assert refusal.reason == "INVALID_FIELD"
    assert {one.field for one in refusal.details["BadRequest"].field_violations} == {"update_mask"}


async def test_events_are_paged_filtered_and_begin_where_asked(server: Running) -> None:
    session = await create(server, name="first")
    for at in range(6):
        await (update(server, session.id, name=f"n{at}") if at % 2 else label(server, session.id, f"event-label-{at}"))
    found = await events(server, session.id, page_size=3)
    assert [event.sequence for event in found] == [1, 2, 3, 4, 5, 6, 7]
    assert found[0].type == "SessionCreated"
    assert found[-1].time == (await get(server, session.id)).update_time
    assert [event.sequence for event in await events(server, session.id, after_sequence=4, page_size=1)] == [5, 6, 7]
    updates = await events(server, session.id, types=["SessionUpdated"], page_size=2)
    assert [(event.sequence, event.payload["name"]) for event in updates] == [(3, "n1"), (5, "n3"), (7, "n5")]
    assert await events(server, session.id, after_sequence=7) == []
    assert await events(server, session.id, after_sequence=2**60) == []


async def test_wrong_requests_for_events_name_every_field(server: Running) -> None:
    request = ListSessionEventsRequest(session="", after_sequence=-1, types=["Nothing"], page_size=-1)
    refusal = await refused(server.sessions.ListSessionEvents(request))
    fields = {one.field for one in refusal.details["BadRequest"].field_violations}
    assert fields == {"session", "after_sequence", "types", "page_size"}


async def test_a_token_belongs_to_its_query(start_server: StartServer) -> None:
    server = await start_server()
    session = await create(server)
    await update(server, session.id, name="x")
    first = await server.sessions.ListSessionEvents(ListSessionEventsRequest(session=session.id, page_size=1))
    other = ListSessionEventsRequest(session=session.id, after_sequence=1, page_token=first.next_page_token)
    assert (await refused(server.sessions.ListSessionEvents(other))).reason == "INVALID_FIELD"
