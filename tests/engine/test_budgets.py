"""How many rows an execution may change: judged inside its transaction, and at the submit where a plan tells."""

from pathlib import Path
from typing import Any

import pytest
from tests.engine.driving import BEST, HERE, drive
from tests.engine.places import Place

from sheetgrpc.errors import InvalidRequest, LimitExceeded, Reason
from sheetgrpc.session.model import State

PORTS = " ".join(f'(port.ensure :code "{code}" :name "n")' for code in "ABC")


@pytest.mark.parametrize(
    ("budget", "fits"),
    [
        ({"max_rows_affected": 3}, True),
        ({"max_rows_affected": 2}, False),
        ({"max_rows_affected": 0}, False),
        ({"table_budgets": {"ports": 3}}, True),
        ({"table_budgets": {"ports": 2}}, False),
        ({"table_budgets": {"ships": 0}}, True),
        ({"max_rows_affected": 3, "table_budgets": {"ports": 2}}, False),
    ],
)
async def test_a_run_beyond_its_budget_leaves_nothing(path: Place, budget: dict[str, Any], fits: bool) -> None:
    async with drive(path) as fleet:
        session = await fleet.ready(PORTS)
        before = fleet.dump()
        ended = await fleet.finish(await fleet.submit(session, **budget))
        assert (ended.state.value == "SUCCEEDED") is fits
        assert (fleet.dump() == before) is not fits
        if not fits:
            assert ended.error is not None
            assert (ended.state.value, ended.error.code) == ("FAILED", "BUDGET_EXCEEDED")
            assert await fleet.state(session) is State.EXECUTED
            assert "SUCCESS" not in ended.status_counts


async def test_rows_that_are_as_asked_for_cost_nothing(path: Place) -> None:
    async with drive(path) as fleet:
        await fleet.run(PORTS)
        ended = await fleet.finish(await fleet.submit(await fleet.ready(PORTS), max_rows_affected=0))
        assert ended.state.value == "SUCCEEDED"


async def test_one_statement_that_changes_many_rows_costs_as_many(path: Place, bulk: str) -> None:
    """Selected by something else than a key; the counts of the execution are rows, too."""
    async with drive(path, catalog=bulk) as fleet:
        await fleet.run(" ".join(f'(sailor.hire :email "{n}" :age {18 + n % 2})' for n in range(6)))
        promote = "(sailor.promote :age 18 :to 30)"
        few = await fleet.finish(await fleet.submit(await fleet.ready(promote), max_rows_affected=2))
        assert few.error is not None
        assert few.error.code == "BUDGET_EXCEEDED"
        planned = await fleet.plan(await fleet.ready(promote))
        effects = await fleet.effects(planned.id)
        assert [(one.before, one.after) for one in effects] == [({"age": 18}, {"age": 30})] * 3
        enough = await fleet.finish(
            await fleet.submit(await fleet.ready(promote), max_rows_affected=3, plan_digest=planned.plan_digest)
        )
        assert [(one.table, one.updated) for one in enough.tables] == [("sailors", 3)]
        dismissed = await fleet.plan(await fleet.ready("(sailor.dismiss :age 30)"))
        assert [(one.table, one.deleted) for one in dismissed.tables] == [("sailors", 3)]
        assert [one.before["email"] for one in await fleet.effects(dismissed.id)] == ["0", "2", "4"]


async def test_a_budget_counts_what_succeeded_in_best_effort(path: Place) -> None:
    async with drive(path) as fleet:
        await fleet.run('(ship.create :name "S")')
        session = await fleet.ready(f'(ship.create :name "S") {PORTS}')
        ended = await fleet.finish(await fleet.submit(session, BEST, max_rows_affected=2))
        assert ended.error is not None
        assert (ended.state.value, ended.error.code) == ("FAILED", "BUDGET_EXCEEDED")


async def test_a_submit_whose_plan_is_beyond_the_budget_is_refused_at_once(path: Place) -> None:
    async with drive(path) as fleet:
        session = await fleet.ready(PORTS)
        digest = (await fleet.plan(session)).plan_digest
        with pytest.raises(LimitExceeded) as refused:
            await fleet.submit(session, plan_digest=digest, table_budgets={"ports": 2})
        assert refused.value.reason is Reason.BUDGET_EXCEEDED
        assert refused.value.metadata == {"what": "rows of ports", "limit": "2", "actual": "3"}
        assert await fleet.state(session) is State.READY


async def test_a_budget_for_a_table_that_nothing_writes_is_refused(path: Place) -> None:
    async with drive(path) as fleet:
        session = await fleet.ready(PORTS)
        with pytest.raises(InvalidRequest):
            await fleet.submit(session, table_budgets={"prots": 2})


@pytest.fixture
def bulk(tmp_path: Path) -> str:
    """The catalog with verbs that select by something else than a key."""
    age = "{type: integer, required: true}"
    more = (
        f"  sailor.promote: {{kind: update, entity: sailor, by: [age], arguments: {{age: {age},"
        " to: {type: integer, required: true, column: age}}}\n"
        f"  sailor.dismiss: {{kind: delete, entity: sailor, by: [age], arguments: {{age: {age}}}}}\n"
    )
    file = tmp_path / "bulk.yaml"
    file.write_text((HERE / "fleet.yaml").read_text() + more)
    return str(file)
