"""Sheets that fail: what is left in the tables, what is said of each statement, what the session may do then."""

from collections import Counter
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.flows.serving import Client, Process, change, dump, kinds, refused, rows, submit

from sheetgrpc.v1 import diagnostic_pb2, execution_pb2, session_pb2, statement_pb2, statement_result_pb2

Served = tuple[Process, Client]
MODES = execution_pb2.ExecutionMode


def middle(prefix: str) -> str:
    """Three phases; two statements of the middle one break constraints, each with a dependent; 4 and 8 have none."""
    return "\n".join(
        [
            f'(grower.ensure :code "{prefix}-a" :as @a)',  # 0
            f'(grower.ensure :code "{prefix}-b" :as @b)',  # 1
            f'(apple.ensure :apple "{prefix}-x" :as @x)',  # 2
            "(plot.ensure :grower @a :number 1 :as @good)",  # 3
            "(plot.ensure :grower @b :number 2)",  # 4
            "; é, so that bytes are not characters",
            "(plot.ensure :grower @a :number -1 :apple @x :as @bad)",  # 5: CHECK
            "(swap.set :plot @bad :grower @b :crates 1)",  # 6: blocked by 5
            '(grower.move :grower @b :village "Atlantis")',  # 7: CHECK
            "(swap.set :plot @good :grower @b :crates 4)",  # 8
            "(swap.set :plot @bad :grower @a :crates 2)",  # 9: blocked by 5
        ]
    )


def name(kind: Any, number: int) -> str:
    """An enum value without its prefix."""
    prefix = {"StatementStatus": "STATEMENT_STATUS_", "StatementErrorCode": "STATEMENT_ERROR_CODE_"}.get(
        kind.DESCRIPTOR.name, f"{kind.DESCRIPTOR.name.upper()}_STATE_"
    )
    return str(kind.Name(number)).removeprefix(prefix).removeprefix("EXECUTION_STATE_")


def statuses(results: list[Any]) -> list[str]:
    return [name(statement_pb2.StatementStatus, one.status) for one in results]


def errors(results: list[Any]) -> dict[int, tuple[str, int | None]]:
    """Index -> error code and blocked_by."""
    return {
        one.index: (
            name(statement_result_pb2.StatementErrorCode, one.error.code),
            one.error.blocked_by if one.error.HasField("blocked_by") else None,
        )
        for one in results
        if one.HasField("error")
    }


def ended(execution: Any) -> str:
    return str(execution_pb2.ExecutionState.Name(execution.state)).removeprefix("EXECUTION_STATE_")


def counted(execution: Any) -> Counter[str]:
    return Counter({name(statement_pb2.StatementStatus, one.status): one.count for one in execution.status_counts})


def test_atomic_leaves_nothing_and_names_the_failure(foreign: Served) -> None:
    process, client = foreign
    client.run('(grower.ensure :code "before" :village "Ede")')
    before = dump(process.database)
    source = middle("atomic")
    session = client.ready(source)
    messages = client.execute(session)
    finished = messages[-1].finished
    assert dump(process.database) == before
    assert ended(finished) == "ROLLED_BACK"
    error = finished.error
    assert name(statement_result_pb2.StatementErrorCode, error.code) == "DB_CONSTRAINT"
    assert error.statement_index == 5
    raw = source.encode()
    assert raw[error.span.offset : error.span.offset + error.span.length] == source.splitlines()[6].encode()
    assert (error.span.line, error.span.column) == (7, 1)
    assert (finished.phases_completed, finished.phases_total) == (1, 3)
    assert not finished.tables
    results = client.results(finished.id)
    assert errors(results) == {5: ("DB_CONSTRAINT", None), 6: ("BLOCKED", 5), 9: ("BLOCKED", 5)}
    assert counted(finished) == Counter(statuses(results))
    found = statuses(results)
    assert [found[at] for at in (0, 1, 2)] == ["ROLLED_BACK"] * 3
    assert [found[at] for at in (5, 6, 8, 9)] == ["FAILED", "SKIPPED", "NOT_RUN", "SKIPPED"]
    assert {found[at] for at in (3, 4, 7)} <= {"ROLLED_BACK", "NOT_RUN"}
    assert not any(one.returned_key for one in results)
    covered = [one.phase_completed for one in messages if one.HasField("phase_completed")]
    assert [(one.first_depth, one.last_depth, one.succeeded) for one in covered] == [(0, 0, 3)]


def test_atomic_collect_reports_every_failure_and_leaves_nothing(foreign: Served) -> None:
    process, client = foreign
    before = dump(process.database)
    finished = client.run(middle("collect"), mode=MODES.EXECUTION_MODE_ATOMIC_COLLECT)
    assert dump(process.database) == before
    assert (ended(finished), finished.error.statement_index, finished.error.span.line) == ("ROLLED_BACK", 5, 7)
    results = client.results(finished.id)
    assert errors(results) == {
        5: ("DB_CONSTRAINT", None),
        6: ("BLOCKED", 5),
        7: ("DB_CONSTRAINT", None),
        9: ("BLOCKED", 5),
    }
    assert counted(finished) == Counter(ROLLED_BACK=6, FAILED=2, SKIPPED=2)


def test_best_effort_keeps_what_succeeded(foreign: Served) -> None:
    process, client = foreign
    session = client.ready(middle("effort"))
    finished = client.execute(session, mode=MODES.EXECUTION_MODE_BEST_EFFORT)[-1].finished
    assert (ended(finished), finished.error.statement_index) == ("PARTIAL", 5)
    assert counted(finished) == Counter(SUCCESS=6, FAILED=2, SKIPPED=2)
    kept = rows(
        process.database, "SELECT p.number FROM plots p JOIN growers USING (grower_no) WHERE code LIKE 'effort-%'"
    )
    assert sorted(kept) == [1, 2]
    assert rows(
        process.database, "SELECT crates FROM swaps JOIN growers USING (grower_no) WHERE code = 'effort-b'"
    ) == [4]
    assert rows(process.database, "SELECT village FROM growers WHERE code = 'effort-b'") == [None]
    now = client.session(session)
    assert not now.last_execution_succeeded
    assert set(now.symbols) == {"a", "b", "x", "good"}
    assert refused(client.executions.SubmitSheet, submit(session)).reason == "SHEET_ALREADY_APPLIED"


def test_best_effort_of_which_nothing_succeeds_rolls_back(foreign: Served) -> None:
    _, client = foreign
    session = client.ready('(grower.ensure :code "nothing" :village "Atlantis")')
    finished = client.execute(session, mode=MODES.EXECUTION_MODE_BEST_EFFORT)[-1].finished
    assert ended(finished) == "ROLLED_BACK"
    assert "ParseSheet" in client.session(session).allowed_actions


def test_a_sheet_that_failed_may_be_parsed_and_run_again(foreign: Served) -> None:
    process, client = foreign
    session = client.ready('(grower.ensure :code "again" :as @g) (plot.ensure :grower @g :number 0)')
    assert ended(client.execute(session)[-1].finished) == "ROLLED_BACK"
    _, parsed = client.parse('(grower.ensure :code "again" :as @g) (plot.ensure :grower @g :number 1)', session)
    assert parsed.session.state == session_pb2.SESSION_STATE_READY
    assert ended(client.execute(session)[-1].finished) == "SUCCEEDED"
    assert rows(process.database, "SELECT count(*) FROM growers WHERE code = 'again'") == [1]


def test_a_row_that_vanished_after_the_parse_is_found_out_in_the_run(foreign: Served) -> None:
    process, client = foreign
    client.run('(grower.ensure :code "vanish")')
    (key,) = rows(process.database, "SELECT grower_no FROM growers WHERE code = 'vanish'")
    session = client.ready(f'(apple.ensure :apple "vanish")\n(plot.ensure :grower {key} :number 1)')
    change(process.database, "DELETE FROM growers WHERE grower_no = ?", key)
    finished = client.execute(session)[-1].finished
    assert ended(finished) == "ROLLED_BACK"
    assert errors(client.results(finished.id)) == {1: ("ENTITY_NOT_FOUND", None)}
    _, parsed = client.parse(f"(plot.ensure :grower {key} :number 1)")
    assert [one.code for one in parsed.sheet.diagnostics] == [diagnostic_pb2.DIAGNOSTIC_CODE_INVALID_VALUE]


@pytest.mark.parametrize("collect", [False, True])
def test_a_timeout_undoes_the_run(foreign: Served, collect: bool) -> None:
    process, client = foreign
    before = dump(process.database)
    mode = MODES.EXECUTION_MODE_BEST_EFFORT if collect else MODES.EXECUTION_MODE_ATOMIC
    session = client.ready(
        '(grower.ensure :code "late" :as @g)\n(nap.take :name "one")\n(plot.ensure :grower @g :number 1)'
    )
    messages = client.execute(session, timeout=Duration(nanos=200_000_000), mode=mode)
    finished = messages[-1].finished
    assert ended(finished) == "TIMED_OUT"
    assert name(statement_result_pb2.StatementErrorCode, finished.error.code) == "TIMEOUT"
    assert finished.start_time.ToMicroseconds() + 200_000 <= finished.end_time.ToMicroseconds()
    assert dump(process.database) == before
    results = client.results(finished.id)
    assert counted(finished) == Counter(statuses(results))
    assert not {"SUCCESS", "RESOLVED", "PENDING"} & set(statuses(results))
    now = client.session(session)
    assert now.state == session_pb2.SESSION_STATE_EXECUTED
    assert "ParseSheet" in now.allowed_actions
    assert kinds(messages)[-1] == "finished"


@pytest.mark.parametrize("timeout", [Duration(), Duration(seconds=-1)])
def test_a_timeout_of_no_time_is_refused(foreign: Served, timeout: Duration) -> None:
    _, client = foreign
    refusal = refused(
        client.executions.SubmitSheet, submit(client.ready('(apple.ensure :apple "soon")'), timeout=timeout)
    )
    assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
