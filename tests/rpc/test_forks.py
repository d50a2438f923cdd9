"""ForkSession, UndoSession and RedoSession over the wire."""

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
    ForkSessionRequest,
    GetSessionRequest,
    ListSessionEventsRequest,
    ListSessionsRequest,
    RedoSessionRequest,
    UndoSessionRequest,
)
from sheetgrpc.v1.sheet_service_pb2 import ImportSheetRequest, ListReferencesRequest, ParseSheetRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHEET = '(cbu.ensure :name "Forked Fund" :jurisdiction "LU")'
COMPLETED = session_pb2.SESSION_LIFECYCLE_COMPLETED
READY, GENERATED = session_pb2.SESSION_STATE_READY, session_pb2.SESSION_STATE_GENERATED


async def ready(server: Running, **fields: Any) -> session_pb2.Session:
    session = (await server.sessions.CreateSession(CreateSessionRequest(**fields))).session
    await server.sheets.ImportSheet(ImportSheetRequest(session=session.id, source=SHEET))
    return (await server.sheets.ParseSheet(ParseSheetRequest(session=session.id))).session


async def get(server: Running, name: str) -> session_pb2.Session:
    return (await server.sessions.GetSession(GetSessionRequest(session=name))).session


async def fork(server: Running, **fields: Any) -> session_pb2.Session:
    return (await server.sessions.ForkSession(ForkSessionRequest(**fields))).session


async def test_a_fork_is_answered_as_the_new_session_and_listed_by_its_parent(start_server: StartServer) -> None:
    server = await start_server()
    parent = await ready(server, name="night", labels=["to-be-forked"], role="analyst")
    made = await fork(server, session="to-be-forked", name="another night")
    assert (made.parent_id, made.name, made.role, list(made.labels)) == (parent.id, "another night", "analyst", [])
    assert (made.version, made.state, made.lifecycle) == (1, READY, session_pb2.SESSION_LIFECYCLE_PENDING)
    assert (made.sheet_digest, made.sheet_id != parent.sheet_id) == (parent.sheet_digest, True)
    assert "SubmitSheet" in made.allowed_actions
    assert not {"UndoSession", "RedoSession", "ForkSession"} & set(made.allowed_actions)
    assert await get(server, parent.id) == parent
    assert await get(server, made.id) == made
    listed = await server.sessions.ListSessions(ListSessionsRequest(parent_id=parent.id))
    assert [session.id for session in listed.sessions] == [made.id]


async def test_a_session_that_has_ended_is_forked_as_of_any_event(server: Running) -> None:
    parent = await ready(server)
    await server.sessions.CloseSession(CloseSessionRequest(session=parent.id, outcome=COMPLETED))
    made = await fork(server, session=parent.id, at_sequence=2)
    assert made.state == GENERATED
    assert made.HasField("end_time") is False


@pytest.mark.parametrize("at", [-1, 4])
async def test_an_event_that_there_is_not_is_an_invalid_field(server: Running, at: int) -> None:
    parent = await ready(server)
    refusal = await refused(server.sessions.ForkSession(ForkSessionRequest(session=parent.id, at_sequence=at)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.details["BadRequest"].field_violations[0].field == "at_sequence"


async def test_a_repeated_fork_is_the_same_session(server: Running) -> None:
    parent = await ready(server, labels=["forked-once"])
    request = ForkSessionRequest(session="forked-once", request_id="fork-1", expected_version=parent.version)
    first = await server.sessions.ForkSession(request)
    call = server.sessions.ForkSession(request)
    assert (await call).session == first.session
    assert ("sheetgrpc-replayed", "true") in list(await call.trailing_metadata())
    refusal = await refused(
        server.sessions.ForkSession(ForkSessionRequest(session=parent.id, expected_version=parent.version - 1))
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")


async def test_steps_are_undone_and_redone_by_events_that_say_what_is_restored(server: Running) -> None:
    session = await ready(server)
    undone = (await server.sessions.UndoSession(UndoSessionRequest(session=session.id))).session
    assert (undone.version, undone.state, undone.sheet_id) == (4, GENERATED, session.sheet_id)
    assert {"UndoSession", "RedoSession"} <= set(undone.allowed_actions)
    redone = (await server.sessions.RedoSession(RedoSessionRequest(session=session.id))).session
    assert (redone.version, redone.state) == (5, READY)
    assert "RedoSession" not in redone.allowed_actions
    listed = await server.sessions.ListSessionEvents(ListSessionEventsRequest(session=session.id, after_sequence=3))
    told = [(event.type, MessageToDict(event.payload)) for event in listed.events]
    assert [(kind, payload["sequence"], payload["layers"]["state"]) for kind, payload in told] == [
        ("SessionUndone", 2.0, "GENERATED"),
        ("SessionRedone", 3.0, "READY"),
    ]


async def test_where_there_is_nothing_to_undo_the_refusal_names_what_is_allowed(server: Running) -> None:
    session = (await server.sessions.CreateSession(CreateSessionRequest())).session
    for call in (
        server.sessions.UndoSession(UndoSessionRequest(session=session.id)),
        server.sessions.RedoSession(RedoSessionRequest(session=session.id)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ACTION_NOT_ALLOWED")
        assert refusal.metadata["allowedActions"] == ",".join(session.allowed_actions)


async def test_a_sheet_that_is_not_parsed_any_more_has_no_references(server: Running) -> None:
    session = await ready(server)
    await server.sheets.ImportSheet(ImportSheetRequest(session=session.id, source="(cbu.close :cbu-id <Nobody>)"))
    await server.sheets.ParseSheet(ParseSheetRequest(session=session.id))
    assert (await server.sheets.ListReferences(ListReferencesRequest(session=session.id))).references
    await server.sessions.UndoSession(UndoSessionRequest(session=session.id))
    assert not (await server.sheets.ListReferences(ListReferencesRequest(session=session.id))).references
