"""CancelExecution over the wire, of a real server process: the answer, the stream, what is left in the tables."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.flows.serving import ORCHARD, SECONDS, Client, Process, dump, execute, orchard, refused, serve

from sheetgrpc.v1 import execution_pb2, session_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions

SLOW = '(grower.ensure :code "late" :as @g)\n(nap.take :name "one")\n(plot.ensure :grower @g :number 1)'
WAIT = Duration(seconds=30)
Served = tuple[Process, Client]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(orchard(tmp_path_factory.mktemp("cancel")), ORCHARD, writer_timeout="100ms") as served:
        yield served


def cancel(client: Client, execution: str, **fields: object) -> executions.CancelExecutionResponse:
    request = executions.CancelExecutionRequest(execution=execution, **fields)  # type: ignore[arg-type]  # any of its
    return client.executions.CancelExecution(request, timeout=SECONDS)


def outcome(answer: executions.CancelExecutionResponse) -> tuple[str, str]:
    """The outcome and the state of the execution, as words."""
    said = executions.CancelOutcome.Name(answer.outcome).removeprefix("CANCEL_OUTCOME_")
    return said, execution_pb2.ExecutionState.Name(answer.execution.state).removeprefix("EXECUTION_STATE_")


def test_a_running_execution_is_stopped_and_nothing_of_it_is_there(foreign: Served) -> None:
    """C-R26, C-R27, C-R30: shown as CANCELLING until the end is there, which the stream and `wait` tell alike."""
    process, client = foreign
    before = dump(process.database)
    session = client.ready(SLOW)
    stream = client.executions.ExecuteSheet(execute(session), timeout=SECONDS)
    execution = next(stream).snapshot.id
    assert next(stream).WhichOneof("update") == "phase_started"
    allowed = ["AppendSessionEvents", "CancelExecution", "LabelSession", "RenewSession", "UpdateSession"]
    assert client.session(session).allowed_actions == allowed
    first = cancel(client, execution, request_id="c")
    assert outcome(first) == ("CANCEL_REQUESTED", "CANCELLING")
    assert first.session.state == session_pb2.SESSION_STATE_EXECUTING
    waited = cancel(client, execution, wait=WAIT)
    assert outcome(waited) in [("ALREADY_CANCELLING", "CANCELLED"), ("ALREADY_FINISHED", "CANCELLED")]
    assert waited.session.state == session_pb2.SESSION_STATE_EXECUTED
    told = list(stream)
    assert execution_pb2.EXECUTION_STATE_CANCELLING in [one.snapshot.state for one in told]
    finished = told[-1].finished
    assert finished == waited.execution == client.execution(execution)
    assert (finished.cancelled_by, finished.HasField("cancel_time")) == ("anonymous", True)
    assert dump(process.database) == before
    answer, call = client.executions.CancelExecution.with_call(
        executions.CancelExecutionRequest(execution=execution, request_id="c"), timeout=SECONDS
    )
    assert answer.SerializeToString() == first.SerializeToString()
    assert dict(call.trailing_metadata())["sheetgrpc-replayed"] == "true"
    assert "ParseSheet" in client.session(session).allowed_actions


def test_a_stream_that_goes_away_cancels_nothing(foreign: Served) -> None:
    _, client = foreign
    stream = client.executions.ExecuteSheet(execute(client.ready('(grower.ensure :code "kept")')), timeout=SECONDS)
    execution = next(stream).snapshot.id
    stream.cancel()
    assert client.watch(execution)[-1].finished.state == execution_pb2.EXECUTION_STATE_SUCCEEDED


@pytest.mark.parametrize(
    ("execution", "wait", "code", "reason"),
    [
        ("", None, "INVALID_ARGUMENT", "INVALID_FIELD"),
        ("0", None, "NOT_FOUND", "EXECUTION_NOT_FOUND"),
        ("9" * 40, None, "NOT_FOUND", "EXECUTION_NOT_FOUND"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", None, "NOT_FOUND", "EXECUTION_NOT_FOUND"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", Duration(seconds=-1), "INVALID_ARGUMENT", "INVALID_FIELD"),
    ],
)
def test_what_is_no_execution_is_told_apart(
    foreign: Served, execution: str, wait: Duration | None, code: str, reason: str
) -> None:
    """C-R25."""
    _, client = foreign
    request = executions.CancelExecutionRequest(execution=execution, wait=wait)
    refusal = refused(client.executions.CancelExecution, request)
    assert (refusal.code.name, refusal.reason) == (code, reason)


def test_a_restart_keeps_who_cancelled_and_what_was_answered(tmp_path: Path) -> None:
    """C-R31."""
    with serve(orchard(tmp_path), ORCHARD) as (process, client):
        stream = client.executions.ExecuteSheet(execute(client.ready(SLOW)), timeout=SECONDS)
        execution = next(stream).snapshot.id
        next(stream)
        first = cancel(client, execution.lower(), wait=WAIT, request_id="c")
        assert outcome(first) == ("CANCEL_REQUESTED", "CANCELLED")
        again = process.restart()
        assert again.execution(execution) == first.execution
        assert cancel(again, execution.lower(), wait=WAIT, request_id="c") == first
        assert outcome(cancel(again, execution)) == ("ALREADY_FINISHED", "CANCELLED")
