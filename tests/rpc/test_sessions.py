"""Sessions over the wire: made, found, listed, closed, each exactly once."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, refused

from sheetgrpc.v1 import execution_service_pb2, session_pb2, session_service_pb2, sheet_service_pb2
from sheetgrpc.v1.session_service_pb2 import (
    CloseSessionRequest,
    CreateSessionRequest,
    GetSessionRequest,
    ListSessionsRequest,
    ResetSessionRequest,
    SetScopeRequest,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMPLETED = session_pb2.SESSION_LIFECYCLE_COMPLETED
FAILED = session_pb2.SESSION_LIFECYCLE_FAILED


async def create(server: Running, **fields: Any) -> session_pb2.Session:
    return (await server.sessions.CreateSession(CreateSessionRequest(**fields))).session


async def trailers(call: Any) -> dict[str, str]:
    return {key: value for key, value in await call.trailing_metadata() if key.startswith("sheetgrpc-")}


async def test_a_new_session_is_empty_pending_and_as_it_was_asked_for(server: Running) -> None:
    """B1."""
    request = CreateSessionRequest(
        name="Nightly load",
        client=session_pb2.Client(name="tests", version="1", target="local"),
        role="analyst",
        task_id="T-1",
        labels=["zulu-label", "alpha-label"],
    )
    request.metadata.update({"ticket": 7, "tags": ["a", None], "deep": {"x": True}})
    session = (await server.sessions.CreateSession(request)).session
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", session.id)
    assert (session.name, session.client, session.role, session.task_id) == (
        request.name,
        request.client,
        request.role,
        request.task_id,
    )
    assert MessageToDict(session.metadata) == MessageToDict(request.metadata)
    assert list(session.labels) == ["alpha-label", "zulu-label"]
    assert (session.state, session.lifecycle) == (
        session_pb2.SESSION_STATE_EMPTY,
        session_pb2.SESSION_LIFECYCLE_PENDING,
    )
    assert (session.version, session.event_count) == (1, 1)
    assert session.create_time == session.update_time
    assert abs(session.create_time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert session.expire_time.ToDatetime() - session.create_time.ToDatetime() == timedelta(days=7)
    assert session.oldest_sequence == 1
    for absent in ("scope", "lease", "end_time"):
        assert not session.HasField(absent)
    assert list(session.allowed_actions) == sorted(session.allowed_actions)
    assert "ImportSheet" in session.allowed_actions


async def test_a_session_is_found_by_id_in_any_case_by_prefix_and_by_label(server: Running) -> None:
    """B2."""
    session = await create(server, labels=["found-by-this"])
    for name in (session.id, session.id.lower(), session.id[:-1], "found-by-this"):
        assert (await server.sessions.GetSession(GetSessionRequest(session=name))).session == session


async def test_closing_ends_a_session_for_good(server: Running) -> None:
    session = await create(server)
    closed = (await server.sessions.CloseSession(CloseSessionRequest(session=session.id, outcome=FAILED))).session
    assert (closed.lifecycle, closed.version) == (FAILED, 2)
    assert closed.HasField("end_time")
    assert list(closed.allowed_actions) == []
    assert (await server.sessions.GetSession(GetSessionRequest(session=session.id))).session == closed
    refusal = await refused(server.sessions.CloseSession(CloseSessionRequest(session=session.id, outcome=COMPLETED)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_CLOSED")
    assert refusal.details["PreconditionFailure"].violations[0].type == "SESSION_CLOSED"


async def test_lists_page_through_every_session_newest_first(start_server: StartServer) -> None:
    """B3."""
    server = await start_server()
    made = [await create(server, name=f"s{number}", role="r") for number in range(5)]
    await create(server, role="other")
    seen: list[session_pb2.Session] = []
    token = ""
    while True:
        page = await server.sessions.ListSessions(ListSessionsRequest(role="r", page_size=2, page_token=token))
        assert 1 <= len(page.sessions) <= 2
        seen.extend(page.sessions)
        if not (token := page.next_page_token):
            break
    assert [session.name for session in seen] == ["s4", "s3", "s2", "s1", "s0"]
    assert seen == made[::-1]
    again = await server.sessions.ListSessions(ListSessionsRequest(role="r", page_size=2))
    refusal = await refused(
        server.sessions.ListSessions(ListSessionsRequest(role="q", page_size=2, page_token=again.next_page_token))
    )
    assert refusal.reason == "INVALID_FIELD"
    assert refusal.details["BadRequest"].field_violations[0].field == "page_token"


async def test_lists_filter_by_state_lifecycle_and_label(start_server: StartServer) -> None:
    server = await start_server()
    first, second = await create(server, labels=["one-label"]), await create(server)
    await server.sessions.CloseSession(CloseSessionRequest(session=second.id, outcome=COMPLETED))
    for wanted, ids in [
        (ListSessionsRequest(), [second.id, first.id]),
        (ListSessionsRequest(lifecycles=[COMPLETED]), [second.id]),
        (ListSessionsRequest(label="one-label"), [first.id]),
        (ListSessionsRequest(states=[session_pb2.SESSION_STATE_READY]), []),
    ]:
        assert [session.id for session in (await server.sessions.ListSessions(wanted)).sessions] == ids


async def test_a_repeat_gets_the_first_answer_byte_for_byte_and_changes_nothing(server: Running) -> None:
    raw = server.channel.unary_unary("/sheetgrpc.v1.SessionService/CreateSession")
    request = CreateSessionRequest(name="once", request_id="repeat-1").SerializeToString()
    before = datetime.now(UTC)
    first = raw(request)
    answer = await first
    second = raw(request)
    assert await second == answer
    told = await trailers(first)
    assert set(told) == {"sheetgrpc-request-id-expires"}
    expires = datetime.fromisoformat(told["sheetgrpc-request-id-expires"])
    assert timedelta(hours=23, minutes=59) < expires - before < timedelta(hours=24, minutes=1)
    assert await trailers(second) == {"sheetgrpc-replayed": "true", **told}


async def test_a_repeat_after_later_changes_still_gets_the_first_answer(server: Running) -> None:
    session = await create(server, name="later", request_id="repeat-2")
    await server.sessions.CloseSession(CloseSessionRequest(session=session.id, outcome=COMPLETED))
    assert await create(server, name="later", request_id="repeat-2") == session


async def test_a_repeat_may_expect_another_version(server: Running) -> None:
    session = await create(server)
    request = CloseSessionRequest(session=session.id, outcome=COMPLETED, request_id="close", expected_version=1)
    first = await server.sessions.CloseSession(request)
    request.expected_version = 99
    call = server.sessions.CloseSession(request)
    assert await call == first
    assert (await trailers(call))["sheetgrpc-replayed"] == "true"


async def test_without_a_request_id_every_call_is_new_and_has_no_trailers(server: Running) -> None:
    first, second = (server.sessions.CreateSession(CreateSessionRequest(name="twice")) for _ in range(2))
    assert (await first).session.id != (await second).session.id
    assert await trailers(first) == {}


async def test_a_request_id_with_other_content_is_refused(server: Running) -> None:
    """D-28."""
    await create(server, name="mine", request_id="reused")
    refusal = await refused(server.sessions.CreateSession(CreateSessionRequest(name="yours", request_id="reused")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert refusal.details["BadRequest"].field_violations[0].field == "request_id"


async def test_the_order_of_metadata_is_no_other_content(server: Running) -> None:
    one, two = CreateSessionRequest(request_id="order"), CreateSessionRequest(request_id="order")
    for key in ("a", "b", "c"):
        one.metadata[key] = key
    for key in ("c", "b", "a"):
        two.metadata[key] = key
    assert await server.sessions.CreateSession(one) == await server.sessions.CreateSession(two)


async def test_a_request_id_is_of_its_method_and_session(server: Running) -> None:
    sessions = [await create(server, name="x") for _ in range(2)]
    for session in sessions:
        request = CloseSessionRequest(session=session.id, outcome=COMPLETED, request_id="scoped")
        assert (await server.sessions.CloseSession(request)).session.id == session.id


async def test_a_refusal_is_not_kept(server: Running) -> None:
    """D-5: a refusal has changed nothing, and is judged anew."""
    session = await create(server)
    request = CloseSessionRequest(session=session.id, outcome=COMPLETED, request_id="judged", expected_version=7)
    assert (await refused(server.sessions.CloseSession(request))).reason == "VERSION_CONFLICT"
    request.expected_version = 1
    assert (await server.sessions.CloseSession(request)).session.version == 2


async def test_thirty_duplicates_at_once_make_one_session(start_server: StartServer) -> None:
    """D-28."""
    server = await start_server()
    request = CreateSessionRequest(name="one", labels=["only-one"], request_id="at-once")
    answers = await asyncio.gather(*(server.sessions.CreateSession(request) for _ in range(30)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert len((await server.sessions.ListSessions(ListSessionsRequest())).sessions) == 1


@pytest.mark.parametrize("expected", [0, 2, -1])
async def test_another_version_than_expected_is_a_conflict_that_tells_the_version(
    server: Running, expected: int
) -> None:
    session = await create(server)
    refusal = await refused(
        server.sessions.CloseSession(
            CloseSessionRequest(session=session.id, outcome=COMPLETED, expected_version=expected)
        )
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")
    assert "1" in refusal.metadata.values()
    assert (await server.sessions.GetSession(GetSessionRequest(session=session.id))).session == session


async def test_what_is_not_there_is_named(server: Running) -> None:
    """B6."""
    missing = "7" * 26
    for call, reason, kind in [
        (server.sessions.GetSession(GetSessionRequest(session=missing)), "SESSION_NOT_FOUND", "session"),
        (server.sessions.GetSession(GetSessionRequest(session="no-such-label")), "SESSION_NOT_FOUND", "session"),
        (
            server.sessions.CloseSession(CloseSessionRequest(session=missing, outcome=COMPLETED)),
            "SESSION_NOT_FOUND",
            "session",
        ),
        (server.sheets.GetSheet(sheet_service_pb2.GetSheetRequest(sheet_id=missing)), "SHEET_NOT_FOUND", "sheet"),
        (
            server.executions.GetExecution(execution_service_pb2.GetExecutionRequest(execution=missing)),
            "EXECUTION_NOT_FOUND",
            "execution",
        ),
    ]:
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, reason)
        assert refusal.details["ResourceInfo"].resource_type == kind


async def test_a_taken_label_and_a_reserved_one_are_refused(server: Running) -> None:
    await create(server, labels=["taken-label"])
    taken = await refused(server.sessions.CreateSession(CreateSessionRequest(labels=["taken-label"])))
    assert (taken.code, taken.reason) == (grpc.StatusCode.ALREADY_EXISTS, "LABEL_TAKEN")
    assert taken.details["ResourceInfo"].resource_type == "label"
    reserved = await refused(server.sessions.CreateSession(CreateSessionRequest(labels=["0123ab"])))
    assert (reserved.code, reserved.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "LABEL_RESERVED")
    assert reserved.details["BadRequest"].field_violations[0].field == "labels[0]"


async def test_a_prefix_of_several_sessions_is_ambiguous(start_server: StartServer) -> None:
    server = await start_server()
    sessions = [await create(server) for _ in range(2)]
    refusal = await refused(server.sessions.GetSession(GetSessionRequest(session=sessions[0].id[:6])))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SESSION_AMBIGUOUS")
    assert all(session.id in str(refusal.metadata) for session in sessions)


async def test_what_the_state_forbids_says_what_it_allows(server: Running) -> None:
    session = await create(server)
    refusal = await refused(server.sheets.ParseSheet(sheet_service_pb2.ParseSheetRequest(session=session.id)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ACTION_NOT_ALLOWED")
    assert "EMPTY" in refusal.message
    assert refusal.metadata["allowedActions"].split(",") == list(session.allowed_actions)


HOSTILE = {
    "page size": (
        "SessionService/ListSessions",
        ListSessionsRequest(page_size=-(2**31)),
        ["page_size"],
    ),
    "page size and filters": (
        "SessionService/ListSessions",
        ListSessionsRequest(page_size=-1, states=[0, 99], role="a\nb", page_token="?"),
        ["page_size", "page_token", "states[0]", "states[1]", "role"],
    ),
    "nul": ("SessionService/CreateSession", CreateSessionRequest(name="a\x00b", role="\x07"), ["name", "role"]),
    "a label of 1 MB": ("SessionService/CreateSession", CreateSessionRequest(labels=["x" * 2**20]), ["labels[0]"]),
    "no session": ("SessionService/GetSession", GetSessionRequest(), ["session"]),
    "a session of 1 MB": ("SessionService/GetSession", GetSessionRequest(session="x" * 2**20), ["session"]),
    "a request id of 129": ("SessionService/CreateSession", CreateSessionRequest(request_id="x" * 129), ["request_id"]),
    "everything at once": (
        "SessionService/CloseSession",
        CloseSessionRequest(outcome=session_pb2.SESSION_LIFECYCLE_EXPIRED, request_id="\n"),
        ["outcome", "session", "request_id"],
    ),
    "an unknown outcome": (
        "SessionService/CloseSession",
        CloseSessionRequest(session="s", outcome=77),  # type: ignore[arg-type]  # a newer client
        ["outcome"],
    ),
    "a reset to nowhere": (
        "SessionService/ResetSession",
        ResetSessionRequest(session="s", to=session_pb2.SESSION_STATE_READY),
        ["to"],
    ),
    "a scope of nothing": ("SessionService/SetScope", SetScopeRequest(session="s", entity_type="cbu"), ["selector"]),
    "not all": ("SessionService/SetScope", SetScopeRequest(session="s", entity_type="cbu", all=False), ["all"]),
    "an empty filter": (
        "SessionService/SetScope",
        SetScopeRequest(session="s", entity_type="", filter=session_service_pb2.EntityFilter()),
        ["entity_type", "filter.equals"],
    ),
    "an empty key": (
        "SessionService/SetScope",
        SetScopeRequest(session="s", entity_type="cbu", entity_ids=session_service_pb2.EntityIds(ids=["a", ""])),
        ["entity_ids.ids[1]"],
    ),
    "no sheet": ("SheetService/GetSheet", sheet_service_pb2.GetSheetRequest(), ["target"]),
    "an empty sheet id": ("SheetService/GetSheet", sheet_service_pb2.GetSheetRequest(sheet_id=""), ["sheet_id"]),
    "a negative depth": (
        "SheetService/ListStatements",
        sheet_service_pb2.ListStatementsRequest(session="s", depth=-1, page_size=-1),
        ["page_size", "depth"],
    ),
    "a negative timeout": (
        "ExecutionService/SubmitSheet",
        execution_service_pb2.SubmitSheetRequest(session="s", confirm=True, timeout=Duration(seconds=-1)),
        ["timeout"],
    ),
    "no timeout at all": (
        "ExecutionService/ExecuteSheet",
        execution_service_pb2.ExecuteSheetRequest(session="s", confirm=True, timeout=Duration()),
        ["timeout"],
    ),
    "an endless timeout": (
        "ExecutionService/SubmitSheet",
        execution_service_pb2.SubmitSheetRequest(session="s", confirm=True, timeout=Duration(seconds=2**63 - 1)),
        ["timeout"],
    ),
    "an unknown mode": (
        "ExecutionService/SubmitSheet",
        execution_service_pb2.SubmitSheetRequest(session="s", mode=9),  # type: ignore[arg-type]  # a newer client
        ["mode"],
    ),
    "no execution": (
        "ExecutionService/WatchExecution",
        execution_service_pb2.WatchExecutionRequest(),
        ["execution"],
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_request_of_bad_form_is_refused_with_all_its_bad_fields(server: Running, case: str) -> None:
    method, request, fields = HOSTILE[case]
    streaming = method.endswith(("ExecuteSheet", "WatchExecution"))
    if streaming:
        stream = server.channel.unary_stream(f"/sheetgrpc.v1.{method}")(request.SerializeToString())
        refusal = await refused(stream.read())  # type: ignore[arg-type]  # bytes would be a failure
    else:
        refusal = await refused(server.channel.unary_unary(f"/sheetgrpc.v1.{method}")(request.SerializeToString()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert [one.field for one in refusal.details["BadRequest"].field_violations] == fields


async def test_more_than_the_largest_page_is_coerced(server: Running) -> None:
    await server.sessions.ListSessions(ListSessionsRequest(page_size=2**31 - 1))


async def test_more_keys_than_a_scope_holds_are_beyond_the_limit(start_server: StartServer) -> None:
    server = await start_server(max_scope_entities=2)
    session = await create(server)
    ids = session_service_pb2.EntityIds(ids=["a", "b", "c", "a"])
    refusal = await refused(
        server.sessions.SetScope(SetScopeRequest(session=session.id, entity_type="cbu", entity_ids=ids))
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
    assert (refusal.metadata["limit"], refusal.metadata["actual"]) == ("2", "3")


async def test_a_bug_in_the_engine_leaks_nothing(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await start_server()

    async def fail(_ref: str) -> None:
        raise ValueError("SELECT password FROM /var/lib/secret.db")

    monkeypatch.setattr(server.engine, "get_session", fail)
    refusal = await refused(server.sessions.GetSession(GetSessionRequest(session="x")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL_ERROR")
    assert "SELECT" not in repr(refusal)
    assert refusal.metadata["errorId"] in refusal.message
