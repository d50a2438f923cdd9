"""Plans over the wire: effects paged and filtered, digests that hold or are refused, budgets."""

from typing import Any

import grpc
import pytest
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Refused, Running, read_refusal, refused
from tests.rpc.test_executions import READY, SHEET, SUCCEEDED, pages, prepare, read_all

from sheetgrpc.v1 import execution_pb2, statement_result_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAILED = execution_pb2.EXECUTION_STATE_FAILED
CREATED = statement_result_pb2.EFFECT_KIND_CREATED


async def plan(server: Running, session: str) -> Any:
    """The dry run, ended."""
    answer = await server.executions.PlanSheet(executions.PlanSheetRequest(session=session))
    assert (answer.session.state, answer.execution.dry_run) == (READY, True)
    messages = await read_all(
        server.executions.WatchExecution(executions.WatchExecutionRequest(execution=answer.execution.id))
    )
    return messages[-1].finished


async def read_to_the_refusal(stream: Any) -> tuple[Any, Refused]:
    """The last message of a stream, and how it is refused after it."""
    last = None
    try:
        while (message := await stream.read()) is not grpc.aio.EOF:
            last = message
    except grpc.aio.AioRpcError as error:
        return last, read_refusal(error)
    raise AssertionError(f"ended well: {last}")


async def test_effects_are_paged_and_filtered(start_server: StartServer) -> None:
    server = await start_server()
    session, _ = await prepare(server, SHEET)
    planned = await plan(server, session)
    assert (planned.state, len(planned.plan_digest)) == (SUCCEEDED, 64)
    request = executions.ListEffectsRequest(execution=planned.id)
    found = await pages(server.executions.ListEffects, request, "effects", 2)
    assert [(one.statement_index, one.table, one.key) for one in found] == [
        (0, "cbus", "#0"), (1, "entities", "#1"), (2, "cbu_roles", ""),
    ]  # fmt: skip
    assert found[0].after["name"] == "Alpha Fund"
    assert found[2].after["cbu_id"] == "#0"
    assert not found[0].HasField("before")
    few = await server.executions.ListEffects(
        executions.ListEffectsRequest(execution=planned.id, tables=["cbus"], kinds=[CREATED])
    )
    assert [one.display for one in few.effects] == ["Alpha Fund"]


async def test_a_stale_plan_ends_the_stream_as_refused_and_so_does_a_repeat(start_server: StartServer) -> None:
    """The execution itself is a result: FAILED, with what changed; the session is READY."""
    server = await start_server()
    session, _ = await prepare(server, SHEET)
    digest = (await plan(server, session)).plan_digest
    other, _ = await prepare(server, SHEET)
    await read_all(server.executions.ExecuteSheet(executions.ExecuteSheetRequest(session=other, confirm=True)))
    request = executions.ExecuteSheetRequest(session=session, confirm=True, plan_digest=digest, request_id="bound")
    for _ in range(2):
        stream = server.executions.ExecuteSheet(request)
        message, told = await read_to_the_refusal(stream)
        assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PLAN_STALE")
        finished = message.finished
        assert finished.state == FAILED
        assert len(finished.error.changes) == 3
        assert finished.error.changes[0].planned.kind == CREATED
        assert not finished.error.changes[0].HasField("actual")
    answer = await server.executions.GetExecution(executions.GetExecutionRequest(execution=finished.id))
    assert answer.execution == finished
    assert (await plan(server, session)).state == SUCCEEDED


async def test_a_budget_that_the_plan_is_beyond_is_refused_with_the_quota(start_server: StartServer) -> None:
    server = await start_server()
    session, _ = await prepare(server, SHEET)
    digest = (await plan(server, session)).plan_digest
    request = executions.SubmitSheetRequest(
        session=session, confirm=True, plan_digest=digest, table_budgets={"cbu_roles": 0}
    )
    told = await refused(server.executions.SubmitSheet(request))
    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED")
    assert [one.subject for one in told.details["QuotaFailure"].violations] == ["rows of cbu_roles"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("plan_digest", "ABC"), ("plan_digest", "g" * 64), ("max_rows_affected", -1), ("table_budgets", {"cbus": -1})],
)
async def test_a_digest_or_budget_of_the_wrong_form_is_refused(
    start_server: StartServer, field: str, value: Any
) -> None:
    server = await start_server()
    session, _ = await prepare(server, SHEET)
    request = executions.SubmitSheetRequest(session=session, confirm=True, **{field: value})
    told = await refused(server.executions.SubmitSheet(request))
    assert told.reason == "INVALID_FIELD"
