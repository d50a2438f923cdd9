"""Calls in a plan: what their functions change is shown and undone, and what a run does is held against it."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.engine.calling import Calls, drive_calls
from tests.engine.places import Place

from sheetgrpc.engine import intents
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Effect
from sheetgrpc.store.packing import EffectFilter
from sheetgrpc.store.records import ExecutionRow


@pytest.fixture
async def calls(path: Place, tmp_path: Path) -> AsyncIterator[Calls]:
    async with drive_calls(path, tmp_path) as driven:
        yield driven


async def plan(calls: Calls, session: str) -> ExecutionRow:
    """The plan of a READY session."""
    outcome = await calls.fleet.call(session, intents.PlanSheet())
    assert outcome.execution is not None
    return await calls.fleet.finish(outcome.execution.id)


async def effects(calls: Calls, execution: ExecutionRow) -> list[RowEffect]:
    return [effect for _, effect in await calls.fleet.engine.store.effects(execution, -1, 1000, EffectFilter())]


async def test_a_plan_shows_what_calls_would_do_and_does_nothing(calls: Calls) -> None:
    """Keys that the run makes stand after their statement, also where others refer to them."""
    await calls.fleet.run('(port.ensure :code "A" :name "old") (port.ensure :code "D" :name "doomed")')
    kept, doomed = calls.fleet.rows("SELECT port_no FROM ports ORDER BY code")
    before = calls.fleet.dump()
    session = await calls.fleet.ready(
        '(ship.ensure :name "S" :as @s) (crew.sign :ship @s :email "a@s") (crew.build :name "N" :count 2 :as @n)'
        '(voyage.ensure :ship @n :number 1) (crew.change :code "A" :name "new") (crew.dry)'
    )
    planned = await plan(calls, session)
    assert (planned.state.value, calls.plugin.SEEN) == ("SUCCEEDED", [True])
    assert calls.fleet.dump() == before
    told = [
        (one.statement_index, one.table, Effect(one.kind).name, one.key, one.before, one.after)
        for one in await effects(calls, planned)
        if one.statement_index not in (0, 3)
    ]
    assert told == [
        (1, "sailors", "CREATED", "#1", {}, {"email": "a@s", "ship_id": "#0", "age": 20}),
        (2, "ships", "CREATED", "#2", {}, {"name": "N 0"}),
        (2, "ships", "CREATED", "#2.2", {}, {"name": "N 1"}),
        (4, "ports", "UPDATED", kept, {"name": "old", "depth": None}, {"name": "new", "depth": None}),
        (4, "ports", "DELETED", doomed, {"code": "D", "name": "doomed", "depth": None}, {}),
        (4, "registry", "CREATED", "r-1", {}, {"told": True}),
    ]
    (voyage,) = [one for one in await effects(calls, planned) if one.statement_index == 3]
    assert voyage.after["ship_id"] == "#2"
    assert {result.row.key for result in await calls.fleet.results(planned.id)} == {None}


async def test_what_runs_as_planned_is_committed(calls: Calls) -> None:
    session = await calls.fleet.ready('(ship.ensure :name "S" :as @s) (crew.sign :ship @s :email "a") (crew.dry)')
    planned = await plan(calls, session)
    submit = intents.SubmitSheet(confirm=True, plan_digest=planned.plan_digest)
    outcome = await calls.fleet.call(session, submit)
    assert outcome.execution is not None
    assert (await calls.fleet.finish(outcome.execution.id)).state.value == "SUCCEEDED"
    assert calls.plugin.SEEN == [True, False]
    assert calls.fleet.rows("SELECT email FROM sailors") == ["a"]


async def test_a_call_that_would_do_something_else_now_does_nothing(calls: Calls) -> None:
    await calls.fleet.run('(port.ensure :code "A" :name "old")')
    session = await calls.fleet.ready('(crew.change :code "A" :name "new")')
    planned = await plan(calls, session)
    calls.fleet.change("UPDATE ports SET name = 'other'")
    outcome = await calls.fleet.call(session, intents.SubmitSheet(confirm=True, plan_digest=planned.plan_digest))
    assert outcome.execution is not None
    ended = await calls.fleet.finish(outcome.execution.id)
    assert ended.error is not None
    assert ended.error.code == "PLAN_STALE"
    assert calls.fleet.rows("SELECT name FROM ports") == ["other"]


async def test_the_rows_of_calls_count_against_a_budget(calls: Calls) -> None:
    session = await calls.fleet.ready('(crew.build :name "N" :count 3)')
    outcome = await calls.fleet.call(session, intents.SubmitSheet(confirm=True, max_rows_affected=2))
    assert outcome.execution is not None
    ended = await calls.fleet.finish(outcome.execution.id)
    assert ended.error is not None
    assert ended.error.code == "BUDGET_EXCEEDED"
    assert calls.fleet.rows("SELECT name FROM ships") == []


async def test_a_plan_does_not_hold_for_other_bytes(calls: Calls) -> None:
    """The server was started anew with another version of the module, and would do the same."""
    session = await calls.fleet.ready("(crew.dry)")
    planned = await plan(calls, session)
    modules = calls.fleet.engine._context.handlers.modules
    assert isinstance(modules, dict)
    modules["fleet_calls"] = msgspec.structs.replace(modules["fleet_calls"], sha256="0" * 64)
    outcome = await calls.fleet.call(session, intents.SubmitSheet(confirm=True, plan_digest=planned.plan_digest))
    assert outcome.execution is not None
    ended = await calls.fleet.finish(outcome.execution.id)
    assert ended.error is not None
    assert ended.error.code == "PLAN_STALE"
