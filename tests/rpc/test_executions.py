"""A sheet over the wire, from text to rows: answers, streams, pages, repeats."""

from typing import Any

import grpc
import pytest
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, read_refusal, refused

from sheetgrpc.v1 import (
    catalog_service_pb2,
    diagnostic_pb2,
    execution_pb2,
    session_pb2,
    session_service_pb2,
    statement_pb2,
    statement_result_pb2,
)
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHEET = """\
(cbu.ensure :name "Alpha Fund" :jurisdiction "LU" :as @fund)
(entity.ensure-limited-company :name "Beta Management" :jurisdiction "LU" :as @manager)
(cbu.assign-role :cbu-id @fund :entity-id @manager :role "MANAGEMENT_COMPANY")
"""
READY = session_pb2.SESSION_STATE_READY
SUCCEEDED = execution_pb2.EXECUTION_STATE_SUCCEEDED


async def create(server: Running) -> str:
    answer = await server.sessions.CreateSession(session_service_pb2.CreateSessionRequest())
    return answer.session.id


async def prepare(server: Running, source: str) -> tuple[str, Any]:
    session = await create(server)
    await server.sheets.ImportSheet(sheets.ImportSheetRequest(session=session, source=source))
    return session, await server.sheets.ParseSheet(sheets.ParseSheetRequest(session=session))


async def read_all(stream: Any) -> list[Any]:
    return [message async for message in stream]


async def pages(call: Any, request: Any, field: str, size: int) -> list[Any]:
    """Every item of a list, page by page."""
    found: list[Any] = []
    request.page_size = size
    while True:
        page = await call(request)
        items = list(getattr(page, field))
        assert len(items) <= size
        found.extend(items)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found


async def test_a_sheet_is_parsed_executed_streamed_and_read_back(start_server: StartServer) -> None:
    server = await start_server()
    session, parsed = await prepare(server, SHEET)
    assert parsed.session.state == READY, parsed.sheet.diagnostics
    assert (parsed.sheet.statement_count, parsed.sheet.phase_count) == (3, 2)
    assert [list(phase.statement_indices) for phase in parsed.sheet.phases] == [[0, 1], [2]]
    request = executions.ExecuteSheetRequest(session=session, confirm=True, request_id="go", include_results=True)
    stream = server.executions.ExecuteSheet(request)
    messages = await read_all(stream)
    told = dict(await stream.trailing_metadata())
    assert "sheetgrpc-request-id-expires" in told
    assert "sheetgrpc-replayed" not in told
    assert [messages[0].WhichOneof("update"), messages[-1].WhichOneof("update")] == ["snapshot", "finished"]
    finished = messages[-1].finished
    assert finished.state == SUCCEEDED
    assert [(one.status, one.count) for one in finished.status_counts] == [(statement_pb2.STATEMENT_STATUS_SUCCESS, 3)]
    assert {one.table: one.created for one in finished.tables} == {"cbu_roles": 1, "cbus": 1, "entities": 1}
    assert finished.start_time.ToMicroseconds() <= finished.end_time.ToMicroseconds()
    streamed = [result.index for one in messages for result in one.statements.results]
    assert sorted(streamed) == [0, 1, 2]
    assert all(one.resume_token for one in messages)

    execution = (await server.executions.GetExecution(executions.GetExecutionRequest(execution=finished.id))).execution
    assert execution == finished
    listed = executions.ListExecutionsRequest(session=session, states=[SUCCEEDED])
    assert list((await server.executions.ListExecutions(listed)).executions) == [finished]
    after = (await server.sessions.GetSession(session_service_pb2.GetSessionRequest(session=session))).session
    assert (after.state, after.last_execution_id) == (session_pb2.SESSION_STATE_EXECUTED, finished.id)
    assert after.last_execution_succeeded
    assert (after.progress.completed, after.progress.total) == (3, 3)
    assert set(after.symbols) == {"fund", "manager"}

    results = await pages(
        server.executions.ListStatementResults,
        executions.ListStatementResultsRequest(execution=finished.id.lower()),
        "results",
        2,
    )
    created = statement_result_pb2.EFFECT_KIND_CREATED
    assert [(one.index, one.effect_kind) for one in results] == [(0, created), (1, created), (2, created)]
    assert results[0].returned_key == after.symbols["fund"]
    symbols = await pages(server.sheets.ListSymbols, sheets.ListSymbolsRequest(session=session), "symbols", 1)
    assert [(one.name, one.entity_type, one.execution_id) for one in symbols] == [
        ("fund", "cbu", finished.id),
        ("manager", "entity", finished.id),
    ]
    found = await server.catalog.SearchEntities(
        catalog_service_pb2.SearchEntitiesRequest(entity_type="cbu", query="alpha fund")
    )
    assert found.candidates[0].entity_id == after.symbols["fund"]


async def test_a_repeated_execute_attaches_to_the_first_run(start_server: StartServer) -> None:
    server = await start_server()
    session, _ = await prepare(server, SHEET)
    request = executions.ExecuteSheetRequest(session=session, confirm=True, request_id="again")
    first = await read_all(server.executions.ExecuteSheet(request))
    stream = server.executions.ExecuteSheet(request)
    second = await read_all(stream)
    assert dict(await stream.trailing_metadata())["sheetgrpc-replayed"] == "true"
    assert [one.WhichOneof("update") for one in second] == ["snapshot", "finished"]
    assert second[-1].finished == first[-1].finished
    spent = server.executions.ExecuteSheet(executions.ExecuteSheetRequest(session=session, confirm=True))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await read_all(spent)
    assert read_refusal(error.value).reason == "SHEET_ALREADY_APPLIED"


async def test_a_watch_ends_with_what_the_execution_came_to_whatever_its_token(start_server: StartServer) -> None:
    server = await start_server()
    session, _ = await prepare(server, SHEET)
    submitted = await server.executions.SubmitSheet(executions.SubmitSheetRequest(session=session, confirm=True))
    assert submitted.session.state == session_pb2.SESSION_STATE_EXECUTING
    assert submitted.session.last_execution_id == submitted.execution.id
    for token in ("", "nonsense", "x" * 100_000):
        messages = await read_all(
            server.executions.WatchExecution(
                executions.WatchExecutionRequest(execution=submitted.execution.id, resume_token=token)
            )
        )
        assert messages[0].WhichOneof("update") == "snapshot"
        assert messages[-1].finished.state == SUCCEEDED


async def test_a_sheet_is_executed_on_confirmation_only(server: Running) -> None:
    session, _ = await prepare(server, '(cbu.ensure :name "Gamma" :jurisdiction "LU")')
    refusal = await refused(server.executions.SubmitSheet(executions.SubmitSheetRequest(session=session)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CONFIRMATION_REQUIRED")
    assert refusal.details["BadRequest"].field_violations[0].field == "confirm"


async def test_diagnostics_have_their_places_and_page(server: Running) -> None:
    source = "".join(f'(cbu.ensure :nam "{number}é")\n' for number in range(5))
    session, parsed = await prepare(server, source)
    assert parsed.session.state == session_pb2.SESSION_STATE_PARSED
    diagnostics = await pages(
        server.sheets.ListDiagnostics, sheets.ListDiagnosticsRequest(session=session), "diagnostics", 4
    )
    assert diagnostics == list(parsed.sheet.diagnostics)
    assert len(diagnostics) == parsed.sheet.error_count + parsed.sheet.warning_count
    unknown = [one for one in diagnostics if one.code == diagnostic_pb2.DIAGNOSTIC_CODE_UNKNOWN_ARGUMENT]
    assert [one.span.line for one in unknown] == [1, 2, 3, 4, 5]
    assert all(one.severity == diagnostic_pb2.DIAGNOSTIC_SEVERITY_ERROR for one in unknown)
    raw = source.encode()
    for one in unknown:
        assert b"nam" in raw[one.span.offset : one.span.offset + one.span.length]
    checked = (await server.sheets.CheckSheet(sheets.CheckSheetRequest(source=source))).sheet
    assert list(checked.diagnostics) == diagnostics
    assert (checked.id, checked.session_id, checked.HasField("create_time")) == ("", "", False)
    assert checked.digest == parsed.sheet.digest


async def test_statements_and_phases_page_by_session_and_by_sheet(server: Running) -> None:
    lines = [f'(cbu.ensure :name "Page {number}" :jurisdiction "LU" :as @c{number})' for number in range(25)]
    session, parsed = await prepare(server, "\n".join(lines))
    for target in ({"session": session}, {"sheet_id": parsed.sheet.id}):
        statements = await pages(server.sheets.ListStatements, sheets.ListStatementsRequest(**target), "statements", 10)
        assert [one.index for one in statements] == list(range(25))
        assert [one.source for one in statements] == lines
        assert [list(one.produces) for one in statements] == [[f"c{number}"] for number in range(25)]
        assert {one.status for one in statements} == {statement_pb2.STATEMENT_STATUS_RESOLVED}
        phases = await pages(server.sheets.ListPhases, sheets.ListPhasesRequest(**target), "phases", 1)
        assert [phase.statement_count for phase in phases] == [25]
    got = (await server.sheets.GetSheet(sheets.GetSheetRequest(sheet_id=parsed.sheet.id))).sheet
    assert got == parsed.sheet


async def test_references_wait_are_listed_and_are_resolved(start_server: StartServer) -> None:
    server = await start_server()
    session, _ = await prepare(
        server,
        '(cbu.ensure :name "Delta" :jurisdiction "LU")\n'
        '(entity.ensure-limited-company :name "Epsilon" :jurisdiction "LU")',
    )
    await read_all(server.executions.ExecuteSheet(executions.ExecuteSheetRequest(session=session, confirm=True)))
    session, parsed = await prepare(server, '(cbu.assign-role :cbu-id <Delta> :entity-id <Epsilo> :role "X")')
    assert (parsed.session.state, parsed.session.unresolved_count) == (session_pb2.SESSION_STATE_RESOLVING, 1)
    (reference,) = parsed.sheet.unresolved_references
    assert (reference.text, reference.entity_type, reference.argument) == ("Epsilo", "entity", "entity-id")
    assert reference.candidates[0].display == "Epsilon"
    listed = await pages(server.sheets.ListReferences, sheets.ListReferencesRequest(session=session), "references", 1)
    assert {one.text: bool(one.entity_id) for one in listed} == {"Delta": True, "Epsilo": False}
    for key, reason in [("nonsense", "INVALID_FIELD"), ("0190163d-8694-7b3f-8000-000000000000", "ENTITY_NOT_FOUND")]:
        refusal = await refused(
            server.sheets.ResolveReference(
                sheets.ResolveReferenceRequest(session=session, ref_id=reference.ref_id, entity_id=key)
            )
        )
        assert refusal.reason == reason
    resolved = await server.sheets.ResolveReference(
        sheets.ResolveReferenceRequest(
            session=session, ref_id=reference.ref_id, entity_id=reference.candidates[0].entity_id
        )
    )
    assert resolved.session.state == READY
    assert list(resolved.sheet.unresolved_references) == []


async def test_a_template_makes_a_sheet_for_a_scope(start_server: StartServer) -> None:
    server = await start_server()
    session, _ = await prepare(
        server, "".join(f'(cbu.ensure :name "Zeta {number}" :jurisdiction "LU")' for number in range(3))
    )
    await read_all(server.executions.ExecuteSheet(executions.ExecuteSheetRequest(session=session, confirm=True)))
    session = await create(server)
    scope = session_service_pb2.SetScopeRequest(session=session, entity_type="cbu", all=True)
    assert (await server.sessions.SetScope(scope)).session.scope.entity_count == 3
    template = session_service_pb2.SetTemplateRequest(
        session=session, source='(cbu.set-currency :cbu-id @cbu :currency "EUR")'
    )
    templated = (await server.sessions.SetTemplate(template)).session
    assert (templated.template, templated.target_entity_type) == (template.source, "cbu")
    listed = await server.sessions.ListSessions(session_service_pb2.ListSessionsRequest(page_size=1))
    assert (listed.sessions[0].id, listed.sessions[0].template) == (session, "")
    await server.sessions.ConfirmIntent(session_service_pb2.ConfirmIntentRequest(session=session))
    generated = await server.sheets.GenerateSheet(sheets.GenerateSheetRequest(session=session))
    assert generated.sheet.statement_count == 3
    parsed = await server.sheets.ParseSheet(sheets.ParseSheetRequest(session=session))
    assert parsed.session.state == READY, parsed.sheet.diagnostics
    statements = (await server.sheets.ListStatements(sheets.ListStatementsRequest(session=session))).statements
    assert [one.template_statement for one in statements] == [0, 0, 0]
    assert len({one.entity_id for one in statements}) == 3
    cleared = await server.sessions.ClearScope(session_service_pb2.ClearScopeRequest(session=session))
    assert (cleared.session.state, cleared.session.HasField("scope")) == (session_pb2.SESSION_STATE_EMPTY, False)


async def test_a_huge_sheet_is_answered_within_what_may_be_sent(start_server: StartServer) -> None:
    server = await start_server(max_send_bytes=2 * 1024 * 1024)
    name = "n" * 150
    source = "".join(f'(cbu.ensure :name "{name}{number}" :jurisdiction "x" :bad{name} 1)\n' for number in range(3000))
    session, parsed = await prepare(server, source)
    assert parsed.ByteSize() < 2 * 1024 * 1024
    assert parsed.sheet.error_count >= 6000
    diagnostics = await pages(
        server.sheets.ListDiagnostics, sheets.ListDiagnosticsRequest(session=session), "diagnostics", 1000
    )
    assert len(diagnostics) == parsed.sheet.error_count


async def test_a_template_beyond_its_limit_is_refused(server: Running) -> None:
    session = await create(server)
    refusal = await refused(
        server.sessions.SetTemplate(session_service_pb2.SetTemplateRequest(session=session, source=";" + "é" * 600_000))
    )
    assert (refusal.reason, refusal.metadata["what"]) == ("LIMIT_EXCEEDED", "bytes of template")
