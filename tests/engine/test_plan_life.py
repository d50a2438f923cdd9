"""The life of a plan beside all else: cancelled, closed, restarted; and what makes its digest another."""

from pathlib import Path

import pytest
from tests.engine.driving import HERE, Driver, drive
from tests.engine.places import Place
from tests.engine.stopping import PATIENCE, cancel, gated, run
from tests.engine.test_recovery import _claim

from sheetgrpc.engine import intents
from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.session.model import ExecutionState, Lifecycle, State
from sheetgrpc.store.packing import EffectFilter
from sheetgrpc.store.records import ExecutionFilter

SHEET = '(ship.ensure :name "S" :tonnage 5 :as @s) (voyage.ensure :ship @s :number 1)'


async def queue_plan(fleet: Driver, session: str) -> str:
    outcome = await fleet.call(session, intents.PlanSheet())
    assert outcome.execution is not None
    return outcome.execution.id


@pytest.mark.parametrize(("method", "number"), [("sheet", 1), ("recheck", 1), ("apply", 1)])
async def test_a_plan_is_cancelled_like_any_other_execution(path: Path, method: str, number: int) -> None:
    """C-R26: wherever it stands; the session stays READY."""
    async with gated(path) as (fleet, gate):
        session = await fleet.ready(SHEET)
        fleet.engine._context.analyst.forget((await fleet.engine.sheets.get(session, "")).id)
        planned = await queue_plan(fleet, session)
        gate.set(method, number)
        run(fleet)
        await gate.reached.wait()
        assert (await cancel(fleet, planned)).outcome == "CANCEL_REQUESTED"
        gate.opened.set()
        ended = await fleet.finish(planned)
        assert (ended.state, ended.cancelled_by) == (ExecutionState.CANCELLED, "anna")
        assert await fleet.state(session) is State.READY


async def test_a_queued_plan_is_cancelled_before_it_starts(path: Place) -> None:
    async with drive(path, start=False) as fleet:
        session = await fleet.ready(SHEET)
        version = (await fleet.engine.get_session(session)).row.session.version
        planned = await queue_plan(fleet, session)
        answer = await cancel(fleet, planned, wait=PATIENCE)
        assert (answer.outcome, answer.execution.state) == ("CANCELLED_BEFORE_START", ExecutionState.CANCELLED)
        after = answer.session.row.session
        assert (after.state, after.version, after.last_execution_id) == (State.READY, version + 1, "")


async def test_the_session_goes_on_while_it_is_planned(path: Place) -> None:
    """Two plans, a submit over them: each plan is of the sheet that it was asked for.

    One after the other: side by side they would be three writers of one new row, of whom one is refused.
    """
    async with drive(path, start=False, max_running=1) as fleet:
        session = await fleet.ready(SHEET)
        first, second = await queue_plan(fleet, session), await queue_plan(fleet, session)
        execution = await fleet.submit(session)
        with pytest.raises(NotAllowed) as refused:
            await queue_plan(fleet, session)
        assert refused.value.reason is Reason.ACTION_NOT_ALLOWED
        run(fleet)
        ends = [await fleet.finish(one) for one in (first, second, execution)]
        assert [one.state.value for one in ends] == ["SUCCEEDED"] * 3
        assert ends[0].plan_digest == ends[1].plan_digest != ""
        view = await fleet.engine.get_session(session)
        assert (view.row.session.state, view.row.session.last_execution_id) == (State.EXECUTED, execution)
        with pytest.raises(NotAllowed) as spent:
            await queue_plan(fleet, session)
        assert spent.value.reason is Reason.SHEET_ALREADY_APPLIED


async def test_a_close_cancels_the_plans_of_the_session(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        session, other = await fleet.ready(SHEET), await fleet.ready('(port.ensure :code "A")')
        planned = [await queue_plan(fleet, one) for one in (session, session, other)]
        gate.set("apply", 1)
        run(fleet)
        await gate.reached.wait()
        if isinstance(path, Path):  # SQLite's one writer is the plan's; elsewhere it could be over before the close
            gate.opened.set()
        await fleet.call(session, intents.CloseSession(Lifecycle.COMPLETED))
        gate.opened.set()
        ends = [(await fleet.finish(one)).state.value for one in planned]
        assert ends == ["CANCELLED", "CANCELLED", "SUCCEEDED"]
        assert await fleet.state(session) is State.READY


async def test_a_plan_that_a_close_left_in_the_queue_of_a_dead_server_never_runs(path: Path) -> None:
    async with drive(path, start=False) as fleet:
        session = await fleet.ready(SHEET)
        planned = await queue_plan(fleet, session)
        fleet.engine._context.runs.remove(planned)  # the server dies before it asks the run to stop
        await fleet.call(session, intents.CloseSession(Lifecycle.COMPLETED))
    async with drive(path) as fleet:
        assert (await fleet.finish(planned)).state is ExecutionState.CANCELLED


async def test_a_plan_that_ran_when_the_server_died_is_interrupted_and_the_session_ready(path: Place) -> None:
    async with drive(path, start=False) as fleet:
        session = await fleet.ready(SHEET)
        planned = await queue_plan(fleet, session)
        await _claim(fleet, planned)
        version = (await fleet.engine.get_session(session)).row.session.version
    async with drive(path) as fleet:
        row = await fleet.engine.get_execution(planned)
        assert (row.state, row.plan_digest) == (ExecutionState.INTERRUPTED, "")
        view = await fleet.engine.get_session(session)
        assert (view.row.session.state, view.row.session.version) == (State.READY, version)
        assert (await fleet.plan(session)).state is ExecutionState.SUCCEEDED


async def test_a_digest_is_the_same_after_a_restart_and_in_another_session(path: Place) -> None:
    async with drive(path) as fleet:
        session = await fleet.ready(SHEET)
        digest = (await fleet.plan(session)).plan_digest
        assert (await fleet.plan(await fleet.ready(SHEET))).plan_digest == digest
    async with drive(path) as fleet:
        assert (await fleet.plan(session)).plan_digest == digest
        (latest, *_) = await fleet.engine.list_executions(ExecutionFilter(session_id=session), 9, None)
        assert (latest.dry_run, latest.plan_digest) == (True, digest)


async def test_a_digest_is_another_for_other_rows_another_byte_another_catalog(path: Place, tmp_path: Path) -> None:
    catalog = tmp_path / "fleet.yaml"
    catalog.write_text((HERE / "fleet.yaml").read_text() + "# another\n")
    async with drive(path) as fleet:
        await fleet.run('(ship.ensure :name "S" :tonnage 3)')
        session = await fleet.ready(SHEET)
        digests = [(await fleet.plan(session)).plan_digest]
        digests.append((await fleet.plan(await fleet.ready(SHEET + " "))).plan_digest)
        fleet.change("UPDATE ships SET tonnage = 4")
        digests.append((await fleet.plan(session)).plan_digest)
    async with drive(path, catalog=str(catalog)) as fleet:
        await fleet.call(session, intents.ParseSheet())
        digests.append((await fleet.plan(session)).plan_digest)
    assert len(set(digests)) == 4
    assert all(len(digest) == 64 for digest in digests)


async def test_a_digest_covers_the_scope_and_what_names_were_resolved_to(path: Place) -> None:
    async with drive(path) as fleet:
        await fleet.run('(ship.ensure :name "Sea Star") (ship.ensure :name "Sea Stone")')

        async def digest(**scope: bool) -> str:
            session = await fleet.open()
            await fleet.call(session, intents.SetScope("ship", **scope))
            await fleet.call(session, intents.SetTemplate("(voyage.ensure :ship @ship :number 1)"))
            for intent in (intents.ConfirmIntent(), intents.GenerateSheet(), intents.ParseSheet()):
                await fleet.call(session, intent)
            return (await fleet.plan(session)).plan_digest

        async def chosen(place: int) -> str:
            session = await fleet.open()
            sheet = (await fleet.parse(session, "(voyage.ensure :ship <Sea St> :number 1)")).sheet
            assert sheet is not None
            (open_one,) = sheet.unresolved_references
            ship = str(sorted(one.entity_id for one in open_one.row.candidates)[place])
            await fleet.call(session, intents.ResolveReference(open_one.row.reference.ref_id, ship))
            return (await fleet.plan(session)).plan_digest

        assert await digest(all=True) == await digest(all=True)
        assert await chosen(0) == await chosen(0) != await chosen(1)


async def test_values_that_the_database_makes_are_in_no_digest(path: Place) -> None:
    """A sailor's age is the column's default, and a port's number the database's."""
    async with drive(path) as fleet:
        session = await fleet.ready('(sailor.hire :email "a" :as @a) (port.ensure :code "A" :as @p)')
        first = await fleet.plan(session)
        assert [sorted(effect.after) for effect in await fleet.effects(first.id)] == [["email"], ["code", "name"]]
        await fleet.run('(sailor.hire :email "b") (port.ensure :code "B")')
        assert (await fleet.plan(session)).plan_digest == first.plan_digest


async def test_a_plan_that_takes_too_long_is_timed_out_and_the_session_ready(path: Place) -> None:
    """C-R42."""
    async with drive(path) as fleet:
        session = await fleet.ready('(slow.work :name "slow")')
        assert (await fleet.plan(session, within=50_000)).state is ExecutionState.TIMED_OUT
        assert await fleet.state(session) is State.READY


async def test_the_schema_holds_one_real_execution_a_session_and_any_number_of_plans(path: Place) -> None:
    async with drive(path, start=False) as fleet:
        session = await fleet.ready(SHEET)
        for _ in range(3):
            await queue_plan(fleet, session)
        await fleet.submit(session)
        found = await fleet.engine.list_executions(ExecutionFilter(session_id=session, states=("QUEUED",)), 9, None)
        assert sorted(one.dry_run for one in found) == [False, True, True, True]


async def test_a_plan_of_a_hundred_thousand_statements_is_listed_and_paged(file: Path) -> None:
    async with drive(file) as fleet:
        pairs = range(50_000)
        session = await fleet.ready(
            "\n".join(
                f'(ship.create :name "S{n}" :tonnage {n + 1} :as @s{n})\n(voyage.ensure :ship @s{n} :number {n})'
                for n in pairs
            )
        )
        planned = await fleet.plan(session)
        assert [(one.table, one.created) for one in planned.tables] == [("ships", 50_000), ("voyages", 50_000)]
        last = await fleet.engine.list_effects(planned.id, 99_997, 5, EffectFilter())
        assert [(position, effect.key) for position, effect in last] == [(99_998, "#99998"), (99_999, "#99999")]
        voyages = await fleet.engine.list_effects(planned.id, 60_000, 2, EffectFilter(tables=("voyages",)))
        assert [(position, effect.after["ship_id"]) for position, effect in voyages] == [
            (60_001, "#60000"), (60_003, "#60002"),
        ]  # fmt: skip
        assert fleet.rows("SELECT count(*) FROM ships") == [0]
