"""What a restart finds: every state a session can be in goes on where it was."""

import asyncio
from pathlib import Path

import pytest
from tests.engine.driving import Driver, drive, read
from tests.engine.stopping import gated, run

from sheetgrpc.engine import intents
from sheetgrpc.engine.updates import Finished
from sheetgrpc.errors import Unavailable
from sheetgrpc.session.model import ExecutionState, State
from sheetgrpc.store.records import Changes, ExecutionFilter

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'
SUBMIT = intents.SubmitSheet(confirm=True)


async def _claim(fleet: Driver, execution_id: str) -> None:
    """Leaves an execution RUNNING, as a process that dies in the middle of it does."""
    store = fleet.engine.store
    row = await store.execution(execution_id)
    async with store.begin() as transaction:
        opened = await transaction.open(row.session_id, None)
        assert opened.row is not None
        assert await transaction.claim(row)
        fields = {name: getattr(row, name) for name in row.__struct_fields__}
        fields |= {"state": ExecutionState.RUNNING, "epoch": 1, "started_at": row.submitted_at}
        await transaction.commit(Changes(session=opened.row.session, events=(), execution=type(row)(**fields)))


async def test_what_ran_is_interrupted_and_its_session_goes_on(path: Path) -> None:
    """C-3.2 "service restart while RUNNING"."""
    async with drive(path, start=False) as fleet:
        session = await fleet.ready(SHEET)
        execution = await fleet.submit(session)
        await _claim(fleet, execution)
        before = fleet.dump()
    async with drive(path) as fleet:
        row = await fleet.engine.get_execution(execution)
        assert (row.state, row.status_counts) == (ExecutionState.INTERRUPTED, {"NOT_RUN": 2})
        assert row.error is not None
        assert row.error.statement_index is None
        assert row.ended_at is not None
        view = await fleet.engine.get_session(session)
        assert (view.row.session.state, view.row.session.last_execution_succeeded) == (State.EXECUTED, False)
        assert fleet.dump() == before
        await fleet.call(session, intents.ParseSheet())
        assert (await fleet.finish(await fleet.submit(session))).state == "SUCCEEDED"


async def test_what_was_queued_runs_after_the_restart_oldest_first(path: Path) -> None:
    async with drive(path, start=False) as fleet:
        sessions = [await fleet.ready(f'(port.ensure :code "{at}")') for at in range(5)]
        executions = [await fleet.submit(session) for session in sessions]
    async with drive(path, max_running=1) as fleet:  # or they begin in order, and end in any
        ended = [await fleet.finish(execution) for execution in executions]
        assert {row.state.value for row in ended} == {"SUCCEEDED"}
        assert fleet.rows("SELECT code FROM ports ORDER BY port_no") == list("01234")
        assert [row.started_at for row in ended] == sorted(row.started_at or 0 for row in ended)


@pytest.mark.parametrize("call", ["commit", "apply"])
async def test_a_stop_lets_the_run_under_way_end_and_keeps_the_queue(path: Path, call: str) -> None:
    """From the commit of its claim on it is under way."""
    async with gated(path, max_running=1) as (fleet, gate):
        running, queued = [await fleet.submit(await fleet.ready(f'(ship.ensure :name "{at}")')) for at in range(2)]
        watcher = await fleet.engine.watch(running, "", False)
        gate.set(call)
        run(fleet)
        await gate.reached.wait()
        stopping = asyncio.create_task(fleet.engine.stop())
        await fleet.engine._executor._stopping.wait()
        gate.opened.set()
        await stopping
        assert isinstance((await read(watcher))[-1].body, Finished)
    async with drive(path, start=False) as fleet:
        assert (await fleet.engine.get_execution(running)).state.value == "SUCCEEDED"
        assert (await fleet.engine.get_execution(queued)).state.value == "QUEUED"
        assert fleet.rows("SELECT name FROM ships") == ["0"]


async def test_a_stopped_engine_says_so(path: Path) -> None:
    async with drive(path) as fleet:
        await fleet.engine.stop()
        with pytest.raises(Unavailable):
            await fleet.open()


STATES: dict[State, list[intents.Intent]] = {
    State.EMPTY: [],
    State.SCOPED: [intents.SetScope("ship", all=True)],
    State.TEMPLATED: [intents.SetTemplate("(voyage.ensure :ship @ship :number 1)")],
    State.GENERATED: [intents.ConfirmIntent(), intents.GenerateSheet()],
    State.READY: [intents.ParseSheet()],
    State.EXECUTING: [SUBMIT],
    State.EXECUTED: [],
}


async def test_a_restart_in_every_state_goes_on_where_it_was(path: Path) -> None:
    async with drive(path) as fleet:
        await fleet.run('(ship.ensure :name "S") (ship.ensure :name "T")')
        session = await fleet.open()
    for state, steps in STATES.items():
        async with drive(path, start=state is State.EXECUTED) as fleet:
            if state is State.EXECUTED:
                (execution,) = await fleet.engine.list_executions(ExecutionFilter(session_id=session), 2, None)
                assert (await fleet.finish(execution.id)).state == "SUCCEEDED"
            for step in steps:
                await fleet.call(session, step)
            before = await fleet.engine.get_session(session)
            assert before.row.session.state is state
        async with drive(path, start=False) as fleet:
            assert await fleet.engine.get_session(session) == before
    async with drive(path, start=False) as fleet:
        assert fleet.rows("SELECT count(*) FROM voyages") == [2]


async def test_a_restart_while_parsed_or_resolving_keeps_what_was_found(path: Path) -> None:
    async with drive(path) as fleet:
        await fleet.run('(ship.ensure :name "Sea Star") (ship.ensure :name "Sea Stone")')
        wrong, open_ = await fleet.open(), await fleet.open()
        parsed = (await fleet.parse(wrong, "(no.verb) (port.find :code @none)")).sheet
        resolving = (await fleet.parse(open_, "(voyage.ensure :ship <Sea St> :number 1)")).sheet
        assert parsed is not None
        assert resolving is not None
    async with drive(path) as fleet:
        assert (await fleet.state(wrong), await fleet.state(open_)) == (State.PARSED, State.RESOLVING)
        assert await fleet.engine.sheets.get(wrong, "") == parsed
        assert await fleet.engine.sheets.get(open_, "") == resolving
        (reference,) = resolving.unresolved_references
        chosen = str(reference.row.candidates[0].entity_id)
        await fleet.call(open_, intents.ResolveReference(reference.row.reference.ref_id, chosen))
        assert (await fleet.finish(await fleet.submit(open_))).state == "SUCCEEDED"
        assert fleet.rows("SELECT ship_id FROM voyages") == [chosen]


async def test_a_sheet_whose_rows_went_while_the_server_was_down_fails_by_name(path: Path) -> None:
    async with drive(path, start=False) as fleet:
        fleet.change("INSERT INTO ships (ship_id, name) VALUES ('11111111-1111-4111-8111-111111111111', 'S')")
        session = await fleet.ready("(voyage.ensure :ship <S> :number 1)")
        execution = await fleet.submit(session)
    async with drive(path, start=False) as fleet:
        fleet.change("DELETE FROM ships")
    async with drive(path) as fleet:
        row = await fleet.finish(execution)
        assert row.state.value in ("FAILED", "ROLLED_BACK")
        assert row.error is not None
        assert row.error.code == "ENTITY_NOT_FOUND"
        assert row.status_counts == {"NOT_RUN": 1} or sum(row.status_counts.values()) == 1
        outcome = await fleet.call(session, intents.ParseSheet())
        assert outcome.session.row.session.state is State.RESOLVING
