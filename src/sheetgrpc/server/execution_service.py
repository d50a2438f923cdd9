"""ExecutionService: each method reads the request, calls the engine, writes the answer; both streams are one loop."""

import msgspec

from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.views import Outcome
from sheetgrpc.engine.watcher import Watcher
from sheetgrpc.server.calls import Call
from sheetgrpc.server.commands import read_envelope, run_command, tell_reply
from sheetgrpc.server.convert import plans, requests
from sheetgrpc.server.convert.executions import (
    encode_update,
    write_cancel,
    write_execution,
    write_receipt,
    write_result,
)
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.sessions import with_session
from sheetgrpc.server.identity import APPROVER
from sheetgrpc.server.paging import MOMENTS, POSITIONS, read_page
from sheetgrpc.v1 import execution_pb2
from sheetgrpc.v1 import execution_service_pb2 as pb

_BEFORE_FIRST = -1
_MAX_TOKEN = 1024


class ExecutionService:
    """Executions: submitted, watched, read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def submit_sheet(self, request: pb.SubmitSheetRequest, call: Call) -> bytes:
        """Submits the current sheet."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_submit_sheet,
            lambda outcome: with_session(pb.SubmitSheetResponse(execution=_execution(outcome)), outcome.session),
        )

    async def plan_sheet(self, request: pb.PlanSheetRequest, call: Call) -> bytes:
        """Queues a dry run of the current sheet."""
        return await run_command(
            self._engine,
            call,
            request,
            plans.read_plan_sheet,
            lambda outcome: with_session(pb.PlanSheetResponse(execution=_execution(outcome)), outcome.session),
        )

    async def execute_sheet(self, request: pb.ExecuteSheetRequest, call: Call) -> None:
        """Submits the current sheet and streams what happens. A repeat watches the first execution."""
        form = Form()
        intent = requests.read_submit_sheet(form, request)
        envelope = await read_envelope(form, call, request)
        execution_id, reply = await self._engine.execute(envelope, intent)
        tell_reply(call, reply)
        fresh = not reply.replayed
        watcher = await self._engine.watch(
            execution_id, "", request.include_results, from_start=fresh, owner=call.caller
        )
        await _stream(watcher, call)
        await self._engine.refuse_stale(execution_id)

    async def replay_execution(self, request: pb.ReplayExecutionRequest, call: Call) -> bytes:
        """Does an execution again that committed nothing."""
        form = Form()
        intent = requests.read_replay_execution(form, request)
        envelope = await read_envelope(form, call, request, target="execution")

        def write(outcome: Outcome) -> bytes:
            answer = with_session(pb.ReplayExecutionResponse(execution=_execution(outcome)), outcome.session)
            return answer.SerializeToString()

        reply = await self._engine.handle(msgspec.structs.replace(envelope, names_execution=True), intent, write)
        tell_reply(call, reply)
        return reply.body

    async def list_receipts(self, request: pb.ListReceiptsRequest, call: Call) -> pb.ListReceiptsResponse:
        """Lists what became of an execution's attempts."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        execution_id = form.name("execution", request.execution).upper()
        form.done()
        found = await self._engine.list_receipts(execution_id, page.after or 0, page.wanted, call.caller)
        receipts, token = page.write(found, write_receipt, lambda _, row: row.epoch)
        return pb.ListReceiptsResponse(receipts=receipts, next_page_token=token)

    async def cancel_execution(self, request: pb.CancelExecutionRequest, call: Call) -> bytes:
        """Cancels an execution."""
        form = Form()
        intent = requests.read_cancel_execution(form, request)
        envelope = await read_envelope(form, call, request, target="execution")
        reply = await self._engine.cancel(envelope, intent, lambda view: write_cancel(view).SerializeToString())
        tell_reply(call, reply)
        return reply.body

    async def watch_execution(self, request: pb.WatchExecutionRequest, call: Call) -> None:
        """Streams what happens in an execution."""
        form = Form()
        execution_id = form.name("execution", request.execution).upper()
        form.done()
        # A token that is not known is no error: the stream begins with a snapshot.
        token = request.resume_token if len(request.resume_token) <= _MAX_TOKEN else ""
        watcher = await self._engine.watch(execution_id, token, request.include_results, owner=call.caller)
        await _stream(watcher, call)

    async def get_execution(self, request: pb.GetExecutionRequest, call: Call) -> pb.GetExecutionResponse:
        """Gets an execution."""
        form = Form()
        execution_id = form.name("execution", request.execution).upper()
        form.done()
        row = await self._engine.get_execution(execution_id, await self._reader(call, execution_id))
        return pb.GetExecutionResponse(execution=write_execution(row))

    async def list_executions(self, request: pb.ListExecutionsRequest, call: Call) -> pb.ListExecutionsResponse:
        """Lists executions."""
        form = Form()
        page = read_page(form, request, MOMENTS, call.max_send_bytes)
        wanted = requests.read_execution_filter(form, request, call.caller)
        form.done()
        found = await self._engine.list_executions(wanted, page.wanted, page.after)
        executions, token = page.write(found, write_execution, lambda _, row: (row.submitted_at, row.id))
        return pb.ListExecutionsResponse(executions=executions, next_page_token=token)

    async def list_statement_results(
        self, request: pb.ListStatementResultsRequest, call: Call
    ) -> pb.ListStatementResultsResponse:
        """Lists what became of each statement."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        execution_id = form.name("execution", request.execution).upper()
        statuses = requests.read_statuses(form, request)
        form.done()
        after = _BEFORE_FIRST if page.after is None else page.after
        found = await self._engine.list_results(execution_id, after, page.wanted, statuses, call.caller)
        results, token = page.write(found, write_result, lambda _, view: view.row.index)
        return pb.ListStatementResultsResponse(results=results, next_page_token=token)

    async def list_effects(self, request: pb.ListEffectsRequest, call: Call) -> pb.ListEffectsResponse:
        """Lists what the statements did to rows."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        execution_id = form.name("execution", request.execution).upper()
        wanted = plans.read_effect_filter(form, request)
        form.done()
        after = _BEFORE_FIRST if page.after is None else page.after
        owner = await self._reader(call, execution_id)
        found = await self._engine.list_effects(execution_id, after, page.wanted, wanted, owner)
        effects, token = page.write(found, lambda item: plans.write_effect(item[1]), lambda _, item: item[0])
        return pb.ListEffectsResponse(effects=effects, next_page_token=token)

    async def _reader(self, call: Call, execution_id: str) -> str | None:
        """Whose executions this call may read: of a plan that is to be approved, an approver may read anybody's."""
        return await self._engine.approvals.reader(
            call.caller, approver=APPROVER in call.roles, execution_id=execution_id
        )


async def _stream(watcher: Watcher, call: Call) -> None:
    """Writes every update of a watcher. The bytes of an update are made once for all streams of both kinds."""
    try:
        while (update := await watcher.next()) is not None:
            await call.write(encode_update(update, call.max_send_bytes))
    finally:
        watcher.close()


def _execution(outcome: Outcome) -> execution_pb2.Execution | None:
    return write_execution(outcome.execution) if outcome.execution is not None else None
