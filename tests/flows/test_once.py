"""Many callers at once and the same call again: everything takes effect exactly once."""

from typing import Any

import grpc
import pytest
from tests.flows.serving import SECONDS, Client, Process, Refusal, execute, kinds, pages, refused, rows, submit

from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import session_pb2
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

Served = tuple[Process, Client]


@pytest.fixture
def crowd(foreign: Served) -> Any:
    """Five clients, a connection each."""
    clients = [Client(foreign[0].address) for _ in range(5)]
    yield clients
    for client in clients:
        client.close()


def outcomes(calls: list[Any]) -> tuple[list[Any], list[Refusal]]:
    """Answers and refusals of calls under way."""
    answered, refusals = [], []
    for call in calls:
        try:
            answered.append(call.result(timeout=SECONDS))
        except grpc.RpcError as error:
            refusals.append(Refusal(error))
    return answered, refusals


def runs(client: Client, session: str) -> list[Any]:
    return pages(client.executions.ListExecutions, executions.ListExecutionsRequest(session=session), "executions", 1)


def test_thirty_duplicates_of_one_create_make_one_session(crowd: list[Client]) -> None:
    request = sessions.CreateSessionRequest(name="thirty", request_id="thirty", role="once")
    calls = [crowd[number % 5].sessions.CreateSession.future(request) for number in range(30)]
    answered, refusals = outcomes(calls)
    assert not refusals
    assert len({one.SerializeToString(deterministic=True) for one in answered}) == 1
    replayed = [dict(call.trailing_metadata()).get("sheetgrpc-replayed") for call in calls]
    assert (replayed.count("true"), replayed.count(None)) == (29, 1)
    listed = crowd[0].sessions.ListSessions(sessions.ListSessionsRequest(role="once"), timeout=SECONDS).sessions
    assert [one.id for one in listed] == [answered[0].session.id]


def test_of_two_submits_at_once_one_wins(crowd: list[Client], foreign: Served) -> None:
    for attempt in range(5):
        session = crowd[0].ready(f'(grower.ensure :code "two-{attempt}")')
        calls = [client.executions.SubmitSheet.future(submit(session)) for client in crowd[:2]]
        answered, refusals = outcomes(calls)
        assert (len(answered), len(refusals)) == (1, 1)
        assert refusals[0].code.name in {"FAILED_PRECONDITION", "ABORTED"}
        assert refusals[0].reason in {"ACTION_NOT_ALLOWED", "SHEET_ALREADY_APPLIED", "CONFLICT"}
        crowd[0].watch(answered[0].execution.id)
        assert [one.id for one in runs(crowd[0], session)] == [answered[0].execution.id]
    assert rows(foreign[0].database, "SELECT count(*) FROM growers WHERE code LIKE 'two-%'") == [5]


def test_one_submit_sent_thirty_times_runs_once(crowd: list[Client]) -> None:
    session = crowd[0].ready('(grower.ensure :code "often")')
    calls = [
        crowd[number % 5].executions.SubmitSheet.future(submit(session, request_id="often")) for number in range(30)
    ]
    answered, refusals = outcomes(calls)
    assert not refusals, refusals[0].message
    assert len({one.SerializeToString(deterministic=True) for one in answered}) == 1
    assert answered[0].session.state == session_pb2.SESSION_STATE_EXECUTING
    crowd[0].watch(answered[0].execution.id)
    assert len(runs(crowd[0], session)) == 1


def test_one_execute_sent_five_times_is_one_run_with_five_watchers(crowd: list[Client]) -> None:
    session = crowd[0].ready('(grower.ensure :code "watched")')
    streams = [client.executions.ExecuteSheet(execute(session, request_id="five"), timeout=SECONDS) for client in crowd]
    told = [list(stream) for stream in streams]
    assert len({messages[-1].finished.id for messages in told}) == 1
    assert {kinds(messages)[0] for messages in told} == {"snapshot"}
    replayed = [dict(stream.trailing_metadata()).get("sheetgrpc-replayed") for stream in streams]
    assert (replayed.count("true"), replayed.count(None)) == (4, 1)
    assert len(runs(crowd[0], session)) == 1


def test_changes_at_once_leave_a_log_without_gaps(crowd: list[Client]) -> None:
    session = crowd[0].create()
    request = sheets.ImportSheetRequest(session=session, source='(apple.ensure :apple "gapless")')
    answered, refusals = outcomes([crowd[number % 5].sheets.ImportSheet.future(request) for number in range(20)])
    assert {one.reason for one in refusals} <= {"CONFLICT"}
    now = crowd[0].session(session)
    assert sorted(one.session.version for one in answered) == list(range(2, len(answered) + 2))
    assert (now.version, now.event_count) == (len(answered) + 1, len(answered) + 1)


def test_the_version_expected_by_two_is_had_by_one(crowd: list[Client]) -> None:
    session = crowd[0].create()
    calls = [
        client.sheets.ImportSheet.future(
            sheets.ImportSheetRequest(session=session, source=f"; {number}", expected_version=1)
        )
        for number, client in enumerate(crowd)
    ]
    answered, refusals = outcomes(calls)
    assert len(answered) == 1
    assert {(one.code.name, one.reason) for one in refusals} == {("ABORTED", "VERSION_CONFLICT")}
    assert {one.metadata["actualVersion"] for one in refusals} == {"2"}


def test_a_request_id_is_of_one_content_method_and_session(foreign: Served) -> None:
    _, client = foreign
    first, second = client.create(), client.create()
    request = sheets.ImportSheetRequest(session=first, source="; one", request_id="shared")
    made = client.sheets.ImportSheet(request, timeout=SECONDS).sheet.id
    other = sheets.ImportSheetRequest(session=first, source="; two", request_id="shared")
    refusal = refused(client.sheets.ImportSheet, other)
    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert refusal.metadata["requestId"] == "shared"
    elsewhere = sheets.ImportSheetRequest(session=second, source="; two", request_id="shared")
    assert client.sheets.ImportSheet(elsewhere, timeout=SECONDS).sheet.id != made
    parsed = client.sheets.ParseSheet(sheets.ParseSheetRequest(session=first, request_id="shared"), timeout=SECONDS)
    assert parsed.sheet.id == made
    again = client.sheets.ImportSheet(request, timeout=SECONDS)  # the first answer, although a version has gone by
    assert (again.sheet.id, again.session.version) == (made, 2)


def test_a_repeat_is_answered_whatever_became_of_the_session(foreign: Served) -> None:
    _, client = foreign
    session = client.create(labels=["repeated"])
    request = sheets.ImportSheetRequest(session="repeated", source="; one", request_id="kept")
    first = client.sheets.ImportSheet(request, timeout=SECONDS)
    closing = sessions.CloseSessionRequest(session=session, outcome=session_pb2.SESSION_LIFECYCLE_COMPLETED)
    client.sessions.CloseSession(closing, timeout=SECONDS)
    assert client.sheets.ImportSheet(request, timeout=SECONDS) == first
    request.request_id = "new"
    assert refused(client.sheets.ImportSheet, request).reason == "SESSION_CLOSED"
