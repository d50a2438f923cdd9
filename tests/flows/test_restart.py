"""A server that is started anew on its file, in every state of a session: everything reads as before and goes on."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from tests.flows.serving import ORCHARD, SECONDS, Client, Refusal, orchard, rows, serve, submit, synthetic

from sheetgrpc.v1 import control_service_pb2 as controls
from sheetgrpc.v1 import execution_pb2, session_pb2, statement_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

SUCCEEDED = execution_pb2.EXECUTION_STATE_SUCCEEDED
SOURCE = '(grower.ensure :code "{0}" :as @g) (plot.ensure :grower @g :number 1)'


def sessions_in_every_state(client: Client) -> dict[str, str]:
    """State (or what is special about it) -> session."""
    client.run('(grower.ensure :code "root" :name "Root") (grower.ensure :code "root-2" :name "Root")')
    made = {name: client.create(labels=[f"state-{name.lower()}"]) for name in STATES}
    scoped = [name for name in STATES if name in {"SCOPED", "TEMPLATED", "CONFIRMED"}]
    for name in scoped:
        client.sessions.SetScope(sessions.SetScopeRequest(session=made[name], entity_type="grower", all=True))
    for name in scoped[1:]:
        template = "(plot.ensure :grower @grower :number 9)"
        client.sessions.SetTemplate(sessions.SetTemplateRequest(session=made[name], source=template))
    client.sessions.ConfirmIntent(sessions.ConfirmIntentRequest(session=made["CONFIRMED"]))
    imported = sheets.ImportSheetRequest(session=made["GENERATED"], source=SOURCE.format("GENERATED"))
    client.sheets.ImportSheet(imported)
    client.parse("(grower.ensure :cod 1)", made["PARSED"])
    client.parse("(plot.ensure :grower <Root> :number 3)", made["RESOLVING"])
    client.ready(SOURCE.format("READY"), made["READY"])
    client.run(SOURCE.format("EXECUTED"), made["EXECUTED"])
    client.run('(grower.ensure :code "failed" :village "Atlantis")', made["FAILED"])
    client.sessions.CloseSession(
        sessions.CloseSessionRequest(session=made["CLOSED"], outcome=session_pb2.SESSION_LIFECYCLE_COMPLETED)
    )
    return made


STATES = (
    "EMPTY",
    "SCOPED",
    "TEMPLATED",
    "CONFIRMED",
    "GENERATED",
    "PARSED",
    "RESOLVING",
    "READY",
    "EXECUTED",
    "FAILED",
    "CLOSED",
)


def everything(client: Client, made: dict[str, str]) -> dict[str, Message]:
    """All that can be read of these sessions."""
    found: dict[str, Message] = {}
    for name, session in made.items():
        now = found[name] = client.session(session)
        if now.sheet_id:
            target = {"sheet_id": now.sheet_id}
            found[f"{name} sheet"] = client.sheets.GetSheet(sheets.GetSheetRequest(**target))
            found[f"{name} statements"] = client.sheets.ListStatements(sheets.ListStatementsRequest(**target))
            found[f"{name} references"] = client.sheets.ListReferences(sheets.ListReferencesRequest(**target))
            found[f"{name} diagnostics"] = client.sheets.ListDiagnostics(sheets.ListDiagnosticsRequest(**target))
        if now.last_execution_id:
            request = executions.ListStatementResultsRequest(execution=now.last_execution_id)
            found[f"{name} results"] = client.executions.ListStatementResults(request)
            found[f"{name} execution"] = client.execution(now.last_execution_id)
        found[f"{name} symbols"] = client.sheets.ListSymbols(sheets.ListSymbolsRequest(session=session))
    return found


def test_every_state_reads_the_same_and_goes_on(tmp_path: Path) -> None:
    with serve(orchard(tmp_path), ORCHARD) as (process, old):
        made = sessions_in_every_state(old)
        before = everything(old, made)
        info = old.control.GetServerInfo(controls.GetServerInfoRequest()).server_info
        client = process.restart()
        assert everything(client, made) == before
        assert client.control.GetServerInfo(controls.GetServerInfoRequest()).server_info.incarnation == info.incarnation
        for name in STATES:
            if name != "CLOSED":
                assert to_the_end(client, made[name]) == SUCCEEDED, name
        assert set(rows(process.database, "SELECT code FROM growers")) >= {"GENERATED", "READY", "EXECUTED", "more"}


def to_the_end(client: Client, session: str) -> Any:
    """Drives a session on from wherever it stands; the state of its execution."""
    while (now := client.session(session)).state != session_pb2.SESSION_STATE_READY:
        if "ConfirmIntent" in now.allowed_actions:
            client.sessions.ConfirmIntent(sessions.ConfirmIntentRequest(session=session))
        elif "GenerateSheet" in now.allowed_actions:
            client.sheets.GenerateSheet(sheets.GenerateSheetRequest(session=session))
        elif now.state == session_pb2.SESSION_STATE_GENERATED:
            client.sheets.ParseSheet(sheets.ParseSheetRequest(session=session))
        elif now.state == session_pb2.SESSION_STATE_SCOPED:
            template = "(plot.ensure :grower @grower :number 8)"
            client.sessions.SetTemplate(sessions.SetTemplateRequest(session=session, source=template))
        elif "ResolveReference" in now.allowed_actions:
            listed = client.sheets.ListReferences(sheets.ListReferencesRequest(session=session, unresolved_only=True))
            one = listed.references[0]
            client.sheets.ResolveReference(
                sheets.ResolveReferenceRequest(
                    session=session, ref_id=one.ref_id, entity_id=one.candidates[0].entity_id
                )
            )
        else:
            client.sheets.ImportSheet(sheets.ImportSheetRequest(session=session, source='(grower.ensure :code "more")'))
    return client.execute(session)[-1].finished.state


def test_a_stored_reply_outlives_the_server(tmp_path: Path) -> None:
    with serve(orchard(tmp_path), ORCHARD) as (process, old):
        request = sessions.CreateSessionRequest(name="kept", request_id="kept")
        first = old.sessions.CreateSession(request)
        session = old.ready(SOURCE.format("kept"))
        submitted = old.executions.SubmitSheet(submit(session, request_id="run"))
        old.watch(submitted.execution.id)
        client = process.restart()
        assert client.sessions.CreateSession(request) == first
        assert client.executions.SubmitSheet(submit(session, request_id="run")) == submitted
        assert len(client.executions.ListExecutions(executions.ListExecutionsRequest()).executions) == 1


def test_what_ran_when_the_server_was_killed_is_interrupted_and_what_waited_runs(tmp_path: Path) -> None:
    with serve(orchard(tmp_path), ORCHARD) as (process, old):
        nap = '(grower.ensure :code "held" :as @g) (nap.take :name "long" :grower @g)'
        before, running, queued = old.ready(nap), old.ready(nap), old.ready(SOURCE.format("queued"))
        # A run holds the one writer: the two submits wait for the first run's end, and are both in before the next.
        wait_until_it_runs(old, submitted(old, before, timeout=Duration(seconds=1)).result())
        calls = [submitted(old, session) for session in (running, queued)]
        name, waiting = (call.result(timeout=SECONDS).execution.id for call in calls)
        wait_until_it_runs(old, calls[0].result())
        assert old.execution(waiting).state == execution_pb2.EXECUTION_STATE_QUEUED
        process.kill()
        client = process.start()
        interrupted = client.execution(name)
        assert interrupted.state == execution_pb2.EXECUTION_STATE_INTERRUPTED
        assert (interrupted.epoch, interrupted.HasField("end_time")) == (1, True)
        assert [(one.status, one.count) for one in interrupted.status_counts] == [
            (statement_pb2.STATEMENT_STATUS_NOT_RUN, 2)
        ]
        assert client.watch(name)[-1].finished == interrupted
        assert client.watch(waiting)[-1].finished.state == SUCCEEDED
        assert rows(process.database, "SELECT code FROM growers") == ["queued"]
        now = client.session(running)
        assert (now.state, now.last_execution_succeeded) == (session_pb2.SESSION_STATE_EXECUTED, False)
        assert "ParseSheet" in now.allowed_actions
        assert client.run(SOURCE.format("held"), running).state == SUCCEEDED


@pytest.mark.parametrize("signals", [1, 2])
def test_a_run_that_does_not_end_in_time_does_not_hold_up_a_stop(tmp_path: Path, signals: int) -> None:
    drain_timeout = "500ms" if signals == 1 else "1h"
    with serve(orchard(tmp_path), ORCHARD, drain_timeout=drain_timeout) as (process, old):
        nap = '(grower.ensure :code "held" :as @g) (nap.take :name "long" :grower @g)'
        before, running, queued = old.ready(nap), old.ready(nap), old.ready(SOURCE.format("queued"))
        wait_until_it_runs(old, submitted(old, before, timeout=Duration(seconds=1)).result())
        calls = [submitted(old, session) for session in (running, queued)]
        name, waiting = (call.result(timeout=SECONDS).execution.id for call in calls)
        wait_until_it_runs(old, calls[0].result())
        stream = old.executions.WatchExecution(executions.WatchExecutionRequest(execution=name), timeout=SECONDS)
        next(stream)
        process.terminate()
        with pytest.raises(grpc.RpcError) as error:
            list(stream)
        assert Refusal(error.value).reason == "SHUTTING_DOWN"
        if signals == 2:
            process.terminate()
        assert process.wait() == 0
        client = process.start()
        interrupted = client.execution(name)
        assert interrupted.state == execution_pb2.EXECUTION_STATE_INTERRUPTED
        assert sum(one.count for one in interrupted.status_counts) == 2
        assert client.watch(waiting)[-1].finished.state == SUCCEEDED
        assert rows(process.database, "SELECT code FROM growers") == ["queued"]
        assert client.run(SOURCE.format("held"), running).state == SUCCEEDED


def submitted(client: Client, session: str, **fields: Any) -> Any:
    """A submit under way."""
    return client.executions.SubmitSheet.future(submit(session, **fields), timeout=SECONDS)


def wait_until_it_runs(client: Client, answer: executions.SubmitSheetResponse) -> None:
    request = executions.WatchExecutionRequest(execution=answer.execution.id)
    stream = client.executions.WatchExecution(request, timeout=SECONDS)
    while next(stream).epoch == 0:
        pass
    stream.cancel()


def test_a_token_of_the_life_before_begins_anew(tmp_path: Path) -> None:
    with serve(orchard(tmp_path), ORCHARD) as (process, old):
        messages = old.execute(old.ready(synthetic(50)))
        client = process.restart()
        finished = messages[-1].finished
        told = client.watch(finished.id, resume_token=messages[1].resume_token)
        assert [one.WhichOneof("update") for one in told] == ["snapshot", "finished"]
        assert told[-1].finished == finished
