"""Lists over the wire: every page, every filter, tokens that belong to one query."""

from typing import Any

import pytest
from tests.flows.serving import SECONDS, Client, Process, pages, refused

from sheetgrpc.v1 import diagnostic_pb2, execution_pb2, session_pb2, statement_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

Served = tuple[Process, Client]
SIZES = [1, 3, 7, 1000]
COLLECT = execution_pb2.EXECUTION_MODE_ATOMIC_COLLECT
STATUS = statement_pb2.StatementStatus


@pytest.fixture(scope="module")
def clean(foreign: Served) -> str:
    """A session with a sheet of three phases: 10 growers, 10 plots, 10 swaps."""
    lines = []
    for number in range(10):
        lines += [
            f"(swap.set :plot @p{number} :grower @g{number} :crates 1)",
            f"(plot.ensure :grower @g{number} :number 1 :as @p{number})",
            f'(grower.ensure :code "page-{number}" :as @g{number})',
        ]
    return foreign[1].ready("\n".join(lines))


@pytest.fixture(scope="module")
def failed(foreign: Served) -> str:
    """An execution of 30 statements, of which every fifth failed."""
    lines = [
        f'(grower.ensure :code "fail-{number}" :village "{"Ede" if number % 5 else "Atlantis"}" :as @g{number})'
        f"(plot.ensure :grower @g{number} :number 1)"
        for number in range(15)
    ]
    return str(foreign[1].run("\n".join(lines), mode=COLLECT).id)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("depth", [None, 0, 1, 2, 3])
def test_statements_by_phase(foreign: Served, clean: str, size: int, depth: int | None) -> None:
    request = sheets.ListStatementsRequest(session=clean, depth=depth)
    found = pages(foreign[1].sheets.ListStatements, request, "statements", size)
    wanted = [index for index in range(30) if depth is None or 2 - index % 3 == depth]
    assert [one.index for one in found] == wanted
    assert [one.depth for one in found] == [2 - one.index % 3 for one in found]


@pytest.mark.parametrize("size", SIZES)
def test_phases(foreign: Served, clean: str, size: int) -> None:
    found = pages(foreign[1].sheets.ListPhases, sheets.ListPhasesRequest(session=clean), "phases", size)
    assert [(one.depth, one.statement_count) for one in found] == [(0, 10), (1, 10), (2, 10)]
    assert list(found[1].statement_indices) == list(range(1, 30, 3))
    assert list(found[0].produces) == [f"g{number}" for number in range(10)]
    assert list(found[1].consumes) == [f"g{number}" for number in range(10)]


@pytest.mark.parametrize("size", SIZES)
def test_diagnostics(foreign: Served, size: int) -> None:
    lines = [
        "(grower.ensur :code 1)",
        "(grower.ensure)",
        "(apple.ensure :apple @nobody)",
        "(plot.ensure :number x)",
    ] * 3
    session, parsed = foreign[1].parse("\n".join(lines))
    found = pages(
        foreign[1].sheets.ListDiagnostics, sheets.ListDiagnosticsRequest(session=session), "diagnostics", size
    )
    assert found == list(parsed.sheet.diagnostics)
    assert [one.span.offset for one in found] == sorted(one.span.offset for one in found)
    errors = [one for one in found if one.severity == diagnostic_pb2.DIAGNOSTIC_SEVERITY_ERROR]
    assert (len(errors), parsed.sheet.error_count) == (parsed.sheet.error_count, len(errors))
    assert {one.statement_index for one in errors} == set(range(12))


@pytest.mark.parametrize("size", SIZES)
def test_references_open_or_all(foreign: Served, size: int) -> None:
    client = foreign[1]
    client.run('(grower.ensure :code "list-1" :name "Only One")')
    session, parsed = client.parse(
        "\n".join(
            f"(plot.ensure :grower <{'Only One' if number % 2 else f'Nobody {number}'}> :number {number + 1})"
            for number in range(8)
        )
    )
    assert parsed.session.unresolved_count == 4
    for unresolved_only, wanted in ((False, list(range(8))), (True, [0, 2, 4, 6])):
        request = sheets.ListReferencesRequest(session=session, unresolved_only=unresolved_only)
        found = pages(client.sheets.ListReferences, request, "references", size)
        assert [one.statement_index for one in found] == wanted
        assert [bool(one.entity_id) for one in found] == [index % 2 == 1 for index in wanted]


@pytest.mark.parametrize("size", SIZES)
def test_symbols(foreign: Served, size: int) -> None:
    client = foreign[1]
    session = client.create()
    client.run("".join(f'(apple.ensure :apple "sym-{n}" :as @s{n})' for n in range(8)), session)
    client.run('(apple.ensure :apple "sym-other" :as @s3)', session)
    found = pages(client.sheets.ListSymbols, sheets.ListSymbolsRequest(session=session), "symbols", size)
    assert [(one.name, one.entity_id) for one in found] == [
        (f"s{n}", "sym-other" if n == 3 else f"sym-{n}") for n in range(8)
    ]
    assert client.session(session).symbol_count == 8


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [
        ([], 30),
        (["FAILED"], 3),
        (["SKIPPED"], 3),
        (["FAILED", "SKIPPED"], 6),
        (["ROLLED_BACK"], 24),
        (["SUCCESS"], 0),
    ],
)
def test_results_by_status(foreign: Served, failed: str, size: int, statuses: list[str], wanted: int) -> None:
    numbers = [STATUS.Value(f"STATEMENT_STATUS_{status}") for status in statuses]
    request = executions.ListStatementResultsRequest(execution=failed, statuses=numbers)
    found = pages(foreign[1].executions.ListStatementResults, request, "results", size)
    assert len(found) == wanted
    assert [one.index for one in found] == sorted(one.index for one in found)
    assert {one.status for one in found} <= set(numbers or STATUS.values())
    if statuses == ["FAILED"]:
        assert [one.index for one in found] == [0, 10, 20]
        assert [one.error.span.line for one in found] == [1, 6, 11]


@pytest.mark.parametrize("size", SIZES)
def test_sessions_by_every_filter(foreign: Served, size: int) -> None:
    client = foreign[1]
    role = f"lister-{size}"
    made = [client.create(role=role, task_id=f"task-{n % 2}", labels=[f"lister-{size}-{n}"]) for n in range(4)]
    for session in made[:2]:
        client.sheets.ImportSheet(sheets.ImportSheetRequest(session=session, source=""), timeout=SECONDS)
    client.sessions.CloseSession(
        sessions.CloseSessionRequest(session=made[3], outcome=session_pb2.SESSION_LIFECYCLE_FAILED), timeout=SECONDS
    )

    def listed(**wanted: Any) -> list[int]:
        found = pages(client.sessions.ListSessions, sessions.ListSessionsRequest(**wanted), "sessions", size)
        return [made.index(one.id) for one in found]

    assert listed(role=role) == [3, 2, 1, 0]
    assert listed(role=role, task_id="task-1") == [3, 1]
    assert listed(role=role, states=[session_pb2.SESSION_STATE_GENERATED]) == [1, 0]
    assert listed(role=role, lifecycles=[session_pb2.SESSION_LIFECYCLE_PENDING]) == [2]
    assert listed(
        role=role, lifecycles=[session_pb2.SESSION_LIFECYCLE_FAILED, session_pb2.SESSION_LIFECYCLE_ACTIVE]
    ) == [3, 1, 0]
    assert listed(label=f"lister-{size}-2") == [2]
    assert listed(label=f"lister-{size}-2", task_id="task-1") == []


@pytest.mark.parametrize("size", SIZES)
def test_executions_by_session_and_state(foreign: Served, size: int) -> None:
    client = foreign[1]
    session = client.create(labels=[f"runner-{size}"])
    ids = [
        client.run(f'(grower.ensure :code "run-{n}" :village "{village}")', session).id
        for n, village in enumerate(["Ede", "Atlantis", "Ede"])
    ]

    def listed(*states: str, named: str) -> list[int]:
        numbers = [execution_pb2.ExecutionState.Value(f"EXECUTION_STATE_{state}") for state in states]
        request = executions.ListExecutionsRequest(session=named, states=numbers)
        return [ids.index(one.id) for one in pages(client.executions.ListExecutions, request, "executions", size)]

    for named in (session, session.lower(), f"runner-{size}"):
        assert listed(named=named) == [2, 1, 0]
        assert listed("ROLLED_BACK", named=named) == [1]
        assert listed("SUCCEEDED", "PARTIAL", named=named) == [2, 0]
    refusal = refused(client.executions.ListExecutions, executions.ListExecutionsRequest(session="nobody"))
    assert refusal.reason == "SESSION_NOT_FOUND"


def test_a_token_belongs_to_its_query(foreign: Served, clean: str, failed: str) -> None:
    client = foreign[1]
    request = sheets.ListStatementsRequest(session=clean, page_size=2)
    token = client.sheets.ListStatements(request, timeout=SECONDS).next_page_token
    for call, other in (
        (client.sheets.ListStatements, sheets.ListStatementsRequest(session=clean, page_token=token, depth=1)),
        (client.sheets.ListPhases, sheets.ListPhasesRequest(session=clean, page_token=token)),
        (
            client.executions.ListStatementResults,
            executions.ListStatementResultsRequest(execution=failed, page_token=token),
        ),
        (client.sheets.ListStatements, sheets.ListStatementsRequest(session=clean, page_token=f"{token}x")),
        (client.sheets.ListStatements, sheets.ListStatementsRequest(session=clean, page_token="nonsense")),
        (client.sheets.ListStatements, sheets.ListStatementsRequest(session=clean, page_size=-1)),
    ):
        refusal = refused(call, other)
        assert (refusal.code.name, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    grown = sheets.ListStatementsRequest(session=clean, page_size=1_000_000, page_token=token)
    assert [one.index for one in client.sheets.ListStatements(grown, timeout=SECONDS).statements] == list(range(2, 30))
