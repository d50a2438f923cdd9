"""Scopes, sheets, analyses, executions, results, symbols and replies, through the Store contract."""

from array import array

import msgspec
import pytest
from tests.store.making import FAR, Commit, Made

from sheetgrpc.catalog.model import Catalog, Entity, Key, Verb, VerbKind
from sheetgrpc.dsl.diagnostics import Diagnostic, DiagnosticCode, Extent
from sheetgrpc.errors import Conflict, NotFound, Reason
from sheetgrpc.planning.model import ErrorCode, Group, Plan, Reference, Results, StatementError, Status
from sheetgrpc.session.events import ScopeCleared
from sheetgrpc.session.model import ExecutionState, Session, Sheet
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import (
    AnalysisRow,
    Candidate,
    Changes,
    ExecutionError,
    ExecutionFilter,
    ExecutionRow,
    ReferenceRow,
    RequestKey,
    ScopeRow,
    SheetRow,
    SymbolRow,
    TableCounts,
)

replace = msgspec.structs.replace
CATALOG = Catalog(
    entities={"cbu": Entity("cbu", "cbus", Key("cbu_id"))},
    verbs={"cbu.create": Verb("cbu.create", VerbKind.CREATE, "cbus", (), entity="cbu")},
    digest="c",
    source="",
)


async def start(commit: Commit, made: Made) -> tuple[Session, SheetRow]:
    """A session with a sheet."""
    session = made.session()
    sheet = made.sheet(session)
    session = replace(session, sheet=Sheet(id=sheet.id, digest=sheet.digest))
    await commit(made.created(session, sheet=sheet))
    return session, sheet


def step(session: Session, **more: object) -> Changes:
    """The next version of a session, with what belongs to it."""
    return Changes(session=replace(session, version=2), events=(ScopeCleared(at=1),), **more)  # type: ignore[arg-type]  # any of Changes'


async def test_scope_and_sheet_read_back_as_written(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    scope = ScopeRow(made.id(), session.id, "cbu", "all", [1, "1", "a\0b", 2**62, "Ünï"])
    sheet = replace(made.sheet(session, b"\xef\xbb\xbf;\0\r\n\xff"), scope_id=scope.id, template_statements=3)
    await commit(made.created(session, scope=scope, sheet=sheet))
    assert await store.scope(scope.id) == scope
    assert await store.sheet(sheet.id) == sheet
    assert await store.sheet(sheet.id.lower()) == sheet


async def test_missing_sheet_and_execution_are_named(store: Store) -> None:
    with pytest.raises(NotFound) as refused:
        await store.sheet("nope")
    assert (refused.value.reason, refused.value.resource) == (Reason.SHEET_NOT_FOUND, ("sheet", "nope"))
    with pytest.raises(NotFound) as refused:
        await store.execution("nope")
    assert (refused.value.reason, refused.value.resource) == (Reason.EXECUTION_NOT_FOUND, ("execution", "nope"))


def references(count: int) -> list[ReferenceRow]:
    """References of which every third is bound, one of them to a key with a NUL in it."""
    keys = [None, None, "k\0y", None, None, 5, None, None, "5"]
    return [
        ReferenceRow(
            Reference(f"r{at}", at, "cbu-id", f"tëxt {at} \0 \U0001f600", "cbu", keys[at % 9]),
            (Candidate("a\0", "A", 0.5), Candidate(7, "\0", 0.25)),
        )
        for at in range(count)
    ]


def diagnostics(count: int) -> list[Diagnostic]:
    """Findings, with and without a statement."""
    return [
        Diagnostic(DiagnosticCode.UNKNOWN_VERB, f'verb "\0{at}"', Extent(at, 1), "hint", at if at % 2 else None)
        for at in range(count)
    ]


async def test_analysis_reads_back_in_pages(store: Store, commit: Commit, made: Made) -> None:
    session, sheet = await start(commit, made)
    assert await store.analysis(sheet.id) is None
    analysis, found, wanted = AnalysisRow(sheet.id, "c", 5, 4, 3, 2, 1), diagnostics(5000), references(4500)
    await commit(step(session, analysis=analysis, diagnostics=found, references=wanted))
    assert await store.analysis(sheet.id) == analysis
    assert await store.diagnostics(sheet.id, 0, 5001) == found
    assert await store.diagnostics(sheet.id, 1999, 2) == found[1999:2001]
    everything = list(enumerate(wanted))
    assert await store.references(sheet.id, -1, 5000, unresolved_only=False) == everything
    assert await store.references(sheet.id, 1998, 3, unresolved_only=False) == everything[1999:2002]
    still_open = [pair for pair in everything if pair[1].reference.entity_id is None]
    assert await store.references(sheet.id, -1, 5000, unresolved_only=True) == still_open
    assert await store.resolutions(sheet.id) == {
        row.reference.ref_id: ("cbu", row.reference.entity_id) for row in wanted if row.reference.entity_id is not None
    }


async def test_another_parse_replaces_what_the_first_found(store: Store, commit: Commit, made: Made) -> None:
    session, sheet = await start(commit, made)
    first = AnalysisRow(sheet.id, "c", 5, 4, 3, 2, 1)
    await commit(step(session, analysis=first, diagnostics=diagnostics(3), references=references(3)))
    again = Changes(
        session=replace(session, version=3), events=(ScopeCleared(at=1),), analysis=replace(first, error_count=0)
    )
    await commit(again)
    assert await store.analysis(sheet.id) == again.analysis
    assert await store.diagnostics(sheet.id, 0, 9) == []
    assert await store.references(sheet.id, -1, 9, unresolved_only=False) == []


@pytest.mark.parametrize("key", ["5", 5, "a\0b", -(2**63)])
async def test_resolved_reference_has_its_key_as_given(
    store: Store, commit: Commit, made: Made, key: str | int
) -> None:
    session, sheet = await start(commit, made)
    row = AnalysisRow(sheet.id, "c", 5, 4, 3, 2, 1)
    await commit(step(session, analysis=row, references=references(2)))
    later = replace(session, version=3)
    await commit(Changes(session=later, events=(ScopeCleared(at=1),), resolved={"r1": key}))
    reference = await store.reference(sheet.id, "r1")
    assert reference is not None
    assert (reference.reference.entity_id, type(reference.reference.entity_id)) == (key, type(key))
    assert reference.candidates == references(2)[1].candidates
    assert [position for position, _ in await store.references(sheet.id, -1, 9, unresolved_only=True)] == [0]
    assert await store.resolutions(sheet.id) == {"r1": ("cbu", key)}
    assert await store.reference(sheet.id, "r9") is None


async def test_of_a_sheet_that_is_not_parsed_any_more_nothing_is_known(
    store: Store, commit: Commit, made: Made
) -> None:
    session, sheet = await start(commit, made)
    found = [Diagnostic(DiagnosticCode.EMPTY_SHEET, "x", Extent(0, 0), "")]
    row = AnalysisRow(sheet.id, "c", 5, 4, 3, 2, 1)
    await commit(step(session, analysis=row, diagnostics=found, references=references(2)))
    later = replace(session, version=3)
    await commit(Changes(session=later, events=(ScopeCleared(at=1),), unparsed=sheet.id))
    assert await store.analysis(sheet.id) is None
    assert await store.diagnostics(sheet.id, 0, 9) == []
    assert await store.references(sheet.id, -1, 9, unresolved_only=False) == []
    assert await store.resolutions(sheet.id) == {}


async def test_execution_reads_back_and_is_numbered(store: Store, commit: Commit, made: Made) -> None:
    session, sheet = await start(commit, made)
    queued = made.execution(session, sheet, timeout=5)
    await commit(step(session, execution=queued))
    stored = await store.execution(queued.id.lower())
    assert stored.number > 0
    assert replace(stored, number=0) == queued
    ended = replace(
        stored,
        state=ExecutionState.FAILED,
        epoch=2,
        started_at=3,
        ended_at=4,
        status_counts={"FAILED": 1},
        tables=(TableCounts("t", 1),),
        error=ExecutionError("INTERNAL", "x", 3),
    )
    await commit(Changes(session=replace(session, version=3), events=(ScopeCleared(at=1),), execution=ended))
    assert await store.execution(queued.id) == ended


async def test_session_has_one_unfinished_execution_at_most(store: Store, commit: Commit, made: Made) -> None:
    session, sheet = await start(commit, made)
    await commit(step(session, execution=made.execution(session, sheet)))
    second = made.execution(session, sheet)
    with pytest.raises(Conflict):
        await commit(Changes(session=replace(session, version=3), events=(ScopeCleared(at=1),), execution=second))
    assert len(await store.executions(ExecutionFilter(), 9, None)) == 1
    assert (await store.session(session.id)).session.version == 2


async def test_execution_ends_once(store: Store, commit: Commit, made: Made) -> None:
    session, sheet = await start(commit, made)
    execution = made.execution(session, sheet, state=ExecutionState.CANCELLED)
    await commit(step(session, execution=execution))
    stored = replace(await store.execution(execution.id), state=ExecutionState.SUCCEEDED)
    with pytest.raises(Conflict):
        await commit(Changes(session=replace(session, version=2), events=(), execution=stored))
    assert (await store.execution(execution.id)).state is ExecutionState.CANCELLED


async def test_claim_holds_for_the_stored_state_and_epoch_only(store: Store, commit: Commit, made: Made) -> None:
    session, sheet = await start(commit, made)
    execution = made.execution(session, sheet)
    await commit(step(session, execution=execution))
    async with store.begin() as transaction:
        assert await transaction.claim(execution)
        assert not await transaction.claim(replace(execution, epoch=1))
        assert not await transaction.claim(replace(execution, state=ExecutionState.RUNNING))
        assert not await transaction.claim(replace(execution, id=made.id()))


async def test_executions_are_filtered_and_paged_newest_first(store: Store, commit: Commit, made: Made) -> None:
    ids: list[str] = []
    owners: list[str] = []
    for at in range(6):
        session, sheet = await start(commit, made)
        state = ExecutionState.QUEUED if at % 2 else ExecutionState.SUCCEEDED
        execution = made.execution(session, sheet, submitted_at=at // 2, state=state)
        await commit(step(session, execution=execution))
        ids.insert(0, execution.id)
        owners.insert(0, session.id)

    async def listed(wanted: ExecutionFilter, limit: int = 9, before: ExecutionRow | None = None) -> list[str]:
        position = (before.submitted_at, before.id) if before else None
        return [row.id for row in await store.executions(wanted, limit, position)]

    assert await listed(ExecutionFilter()) == ids
    last = await store.execution(ids[2])
    for states in ((), ("QUEUED",), ("QUEUED", "RUNNING"), ("SUCCEEDED",), ("SUCCEEDED", "QUEUED"), ("PARTIAL",)):
        chosen = [ids[at] for at in range(6) if not states or ("QUEUED", "SUCCEEDED")[at % 2] in states]
        assert await listed(ExecutionFilter(states=states)) == chosen
        assert await listed(ExecutionFilter(states=states), 2, last) == [id_ for id_ in chosen if id_ in ids[3:]][:2]
        mine = ids[:1] if ids[0] in chosen else []
        assert await listed(ExecutionFilter(session_id=owners[0], states=states)) == mine


def plan(names: list[str | None]) -> Plan:
    """A plan of one group of `cbu.create`."""
    count = len(names)
    group = Group("cbu.create", (), array("i", range(count)), [], names)
    zeros = array("i", [0] * count)
    return Plan(count, 1, [group], array("i", [0, 0, count, 0]), zeros, zeros, zeros, zeros, None)


async def run(
    store: Store,
    commit: Commit,
    made: Made,
    keys: dict[str | None, str | int | None],
    error: StatementError | None = None,
) -> ExecutionRow:
    """An execution that committed a statement a symbol."""
    session, sheet = await start(commit, made)
    await store.prepare(CATALOG)
    await commit(step(session, execution=made.execution(session, sheet, state=ExecutionState.RUNNING, epoch=1)))
    (execution,) = await store.executions(ExecutionFilter(session_id=session.id), 1, None)
    results = Results.fresh(len(keys))
    results.keys[:] = keys.values()
    results.status[:] = bytes(Status.SUCCESS if key is not None else Status.FAILED for key in keys.values())
    if error is not None:
        results.errors[len(keys) - 1] = error
        results.rows[0] = [{"a": [1, "\0"]}]
    async with store.begin() as transaction:
        assert await transaction.claim(execution)
        await transaction.record(execution, plan(list(keys)), results)
        ended = replace(execution, state=ExecutionState.PARTIAL)
        await transaction.commit(
            Changes(session=replace(session, version=3), events=(ScopeCleared(at=1),), execution=ended)
        )
    return execution


async def test_results_read_back_by_index_and_status(store: Store, commit: Commit, made: Made) -> None:
    error = StatementError(ErrorCode.BLOCKED, "m", "d", 0)
    keys: dict[str | None, str | int | None] = {f"s{at}": at if at % 2 else str(at) for at in range(600)}
    execution = await run(store, commit, made, keys | {"last": None}, error)
    results = await store.results(execution, -1, 1000, ())
    assert [(row.index, row.key, row.status) for row in results[:600]] == [
        (at, key, Status.SUCCESS) for at, key in enumerate(keys.values())
    ]
    assert results[0].rows == [{"a": [1, "\0"]}]
    assert (results[600].error, results[600].status, results[600].key) == (error, Status.FAILED, None)
    assert await store.results(execution, 4, 2, ()) == results[5:7]
    assert await store.results(execution, -1, 1000, (Status.FAILED, Status.SKIPPED)) == results[600:]


async def test_symbols_page_by_name_and_the_later_binding_counts(store: Store, commit: Commit, made: Made) -> None:
    first = await run(store, commit, made, {"a": "1", "b": 2, "é": 3, None: 4})
    second = await run(store, commit, made, {"b": "two", "c": "3", "lost": None})
    ids = [first.id, second.id]
    everything = [
        SymbolRow("a", "cbu", "1", first.id),
        SymbolRow("b", "cbu", "two", second.id),
        SymbolRow("c", "cbu", "3", second.id),
        SymbolRow("é", "cbu", 3, first.id),
    ]
    assert await store.symbols(ids, None, "", 10) == everything
    assert await store.symbols(ids, None, "", 2) == everything[:2]
    assert await store.symbols(ids, None, "a", 2) == everything[1:3]
    assert await store.symbols(ids[::-1], ["b"], "", 10) == [SymbolRow("b", "cbu", 2, first.id)]
    assert await store.symbols(ids, ["c", "c", "x", "a"], "", 10) == [everything[0], everything[2]]
    assert await store.symbols(ids, ["c", "a"], "a", 10) == [everything[2]]
    assert await store.symbols([made.id()], None, "", 10) == []
    assert await store.symbols(ids, [], "", 10) == []


async def test_reply_is_found_by_all_of_its_key(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    reply = made.reply(session)
    await commit(made.created(session, reply=reply))
    assert await store.reply(reply.key) == reply
    for field in ("caller", "method", "target", "request_id"):
        assert await store.reply(replace(reply.key, **{field: "other\0"})) is None


async def test_transaction_sees_session_and_reply_when_it_opens(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    reply = made.reply(session)
    await commit(made.created(session, reply=reply))
    async with store.begin() as transaction:
        opened = await transaction.open(session.id, reply.key)
        assert opened.row is not None
        assert (opened.row.session, opened.reply) == (session, reply)
    async with store.begin() as transaction:
        opened = await transaction.open(made.id(), RequestKey("a", "b", "c", "d"))
        assert (opened.row, opened.reply) == (None, None)
    async with store.begin() as transaction:
        opened = await transaction.open(None, None)
        assert (opened.row, opened.reply) == (None, None)


async def test_request_id_takes_effect_once(store: Store, commit: Commit, made: Made) -> None:
    session, second = made.session(), made.session()
    await commit(made.created(session, reply=made.reply(session)))
    with pytest.raises(Conflict):
        await commit(made.created(second, reply=made.reply(second)))
    with pytest.raises(NotFound):
        await store.session(second.id)


async def test_expired_reply_is_gone_and_its_request_id_free(store: Store, commit: Commit, made: Made) -> None:
    session, second = made.session(), made.session()
    old = made.reply(session, expires_at=1)
    await commit(made.created(session, reply=old))
    assert await store.reply(old.key) is None
    fresh = made.reply(second, expires_at=FAR)
    await commit(made.created(second, reply=fresh))
    assert await store.reply(old.key) == fresh
