"""Call verbs over the wire: what a client sees of them, of the decision to trust them, and of their failures."""

from pathlib import Path

import grpc
import pytest
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, refused
from tests.trust.making import Folder

from sheetgrpc.config import StartError
from sheetgrpc.v1 import (
    catalog_service_pb2,
    control_service_pb2,
    execution_pb2,
    session_service_pb2,
    statement_result_pb2,
)
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

pytestmark = pytest.mark.asyncio(loop_scope="session")

CATALOG = """
verbs:
  fund.note: {kind: call, handler: "NAME:note", arguments: {}}
  fund.fail: {kind: call, handler: "NAME:fail", arguments: {}}
"""
BEYOND = """
entities: {fund: {table: sums, key: sum_id}}
verbs:
  fund.reach: {kind: call, handler: "NAME:note", writes: [fund, other], arguments: {}}
"""
MODULE = """
from sheetgrpc.handler import Refused

def note(call):
    pass

def fail(call):
    try:
        raise KeyError("a secret of the server")
    finally:
        call.check()
"""


async def serve(folder: Folder, start_server: StartServer, catalog: str, **settings: int) -> tuple[Running, str]:
    """A server that trusts a module, and its digest."""
    name = folder.write({"NAME.py": MODULE})
    folder.allows(folder.line(name))
    (folder.path / "catalog.yaml").write_text(catalog.replace("NAME", name))
    files = {"catalog": folder.path / "catalog.yaml", "allow": folder.allow, "handlers": folder.modules}
    server = await start_server(**{setting: str(path) for setting, path in files.items()}, **settings)
    return server, name


async def run(server: Running, source: str) -> execution_pb2.Execution:
    session = (await server.sessions.CreateSession(session_service_pb2.CreateSessionRequest())).session.id
    await server.sheets.ImportSheet(sheets.ImportSheetRequest(session=session, source=source))
    await server.sheets.ParseSheet(sheets.ParseSheetRequest(session=session))
    stream = server.executions.ExecuteSheet(executions.ExecuteSheetRequest(session=session, confirm=True))
    *_, last = [message async for message in stream]
    ended: execution_pb2.Execution = last.finished
    return ended


async def test_the_decision_is_told_of_the_server_and_of_each_execution(
    tmp_path: Path, start_server: StartServer
) -> None:
    server, name = await serve(Folder(tmp_path), start_server, CATALOG)
    info = (await server.control.GetServerInfo(control_service_pb2.GetServerInfoRequest())).server_info
    (module,) = info.trusted_modules
    assert (module.module, module.version, len(module.sha256), module.signer) == (name, "", 64, "")
    ended = await run(server, "(fund.note)")
    assert ended.state == execution_pb2.EXECUTION_STATE_SUCCEEDED
    assert list(ended.trusted_modules) == [module]
    read = await server.executions.GetExecution(executions.GetExecutionRequest(execution=ended.id))
    assert list(read.execution.trusted_modules) == [module]
    verbs = (await server.catalog.ListVerbs(catalog_service_pb2.ListVerbsRequest())).verbs
    assert [(verb.kind, verb.handler, verb.table) for verb in verbs if verb.name == "fund.note"] == [
        ("call", f"{name}:note", "")
    ]


async def test_a_module_that_fails_opens_its_breaker_and_is_paused_and_resumed_by_name(
    tmp_path: Path, start_server: StartServer
) -> None:
    """C-R14: visible in the figures of the queue."""
    server, name = await serve(Folder(tmp_path), start_server, CATALOG, breaker_failures=2)

    async def breaker() -> control_service_pb2.Breaker:
        answer = await server.control.GetQueueStats(control_service_pb2.GetQueueStatsRequest())
        (found,) = answer.queue_stats.breakers
        return found

    await run(server, "(fund.fail)")
    found = await breaker()
    assert (found.module, found.state, found.consecutive_failures) == (
        name,
        control_service_pb2.BREAKER_STATE_CLOSED,
        1,
    )
    assert not found.HasField("next_probe_time")
    before = await server.control.Ping(control_service_pb2.PingRequest())
    await run(server, "(fund.fail)")
    found = await breaker()
    assert (found.state, found.consecutive_failures) == (control_service_pb2.BREAKER_STATE_OPEN, 2)
    assert 50 < found.next_probe_time.seconds - before.time.seconds <= 70
    paused = await server.control.PauseQueue(control_service_pb2.PauseQueueRequest(module=name))
    assert paused.queue.mode == control_service_pb2.QUEUE_MODE_RUNNING
    found = await breaker()
    assert (found.state, found.paused_by) == (control_service_pb2.BREAKER_STATE_OPEN, "anonymous")
    assert not found.HasField("next_probe_time")
    await server.control.ResumeQueue(control_service_pb2.ResumeQueueRequest(module=name))
    assert await breaker() == control_service_pb2.Breaker(module=name, state=control_service_pb2.BREAKER_STATE_CLOSED)
    assert (await run(server, "(fund.note)")).state == execution_pb2.EXECUTION_STATE_SUCCEEDED


async def test_only_a_module_that_is_called_can_be_paused_and_only_held(
    tmp_path: Path, start_server: StartServer
) -> None:
    server, name = await serve(Folder(tmp_path), start_server, CATALOG)
    drain = control_service_pb2.PauseQueueRequest(module=name, mode=control_service_pb2.QUEUE_MODE_DRAIN)
    for call, field in (
        (server.control.PauseQueue(drain), "mode"),
        (server.control.PauseQueue(control_service_pb2.PauseQueueRequest(module="none")), "module"),
        (server.control.ResumeQueue(control_service_pb2.ResumeQueueRequest(module="none")), "module"),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert refusal.details["BadRequest"].field_violations[0].field == field


async def test_a_failing_handler_tells_an_error_id_and_no_text(tmp_path: Path, start_server: StartServer) -> None:
    """C-R73: the text of an exception never gets onto the wire."""
    server, _ = await serve(Folder(tmp_path), start_server, CATALOG)
    ended = await run(server, "(fund.fail)")
    assert ended.state == execution_pb2.EXECUTION_STATE_ROLLED_BACK
    assert ended.error.code == statement_result_pb2.STATEMENT_ERROR_CODE_HANDLER_FAILED
    assert "secret" not in str(ended)
    assert "(error " in ended.error.message


async def test_tables_within_reach_must_be_there(tmp_path: Path, start_server: StartServer) -> None:
    with pytest.raises(StartError) as refused:
        await serve(Folder(tmp_path), start_server, BEYOND)
    assert 'verb "fund.reach": table "other" is not in the database' in str(refused.value)
    assert str(refused.value).count('"sums"') == 1
