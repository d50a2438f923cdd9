"""PlanSheet: a dry run tells what an execution would do and does nothing of it."""

from tests.engine.driving import drive
from tests.engine.places import Place

from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Effect
from sheetgrpc.session.model import State

SHIPS = """
(ship.create :name "Sea Star" :tonnage 5 :as @star)
(ship.ensure :name "Sea Stone" :tonnage 7 :draft 2.50)
(voyage.ensure :ship @star :number 1 :as @first)
(port.ensure :code "A" :name "Alpha" :as @a)
(call.set :voyage @first :port @a :berth "b1")
"""


def told(effects: list[RowEffect]) -> list[str]:
    """Effects in one line each."""
    return [
        f"{effect.statement_index} {Effect(effect.kind).name} {effect.table} {effect.key or ''}"
        f" {effect.before} {effect.after}"
        for effect in effects
    ]


async def test_a_plan_tells_what_would_be_made_and_changes_nothing(path: Place) -> None:
    """C-R38."""
    async with drive(path) as fleet:
        session = await fleet.ready(SHIPS)
        before = fleet.dump()
        planned = await fleet.plan(session)
        assert (planned.state.value, planned.dry_run, planned.mode) == ("SUCCEEDED", True, "ATOMIC_COLLECT")
        assert fleet.dump() == before
        assert await fleet.state(session) is State.READY
        assert told(await fleet.effects(planned.id)) == [
            "0 CREATED ships #0 {} {'name': 'Sea Star', 'tonnage': 5, 'active': True}",
            "1 CREATED ships #1 {} {'name': 'Sea Stone', 'tonnage': 7, 'draft': '2.5', 'active': True}",
            "2 CREATED voyages #2 {} {'ship_id': '#0', 'number': 1}",
            "3 CREATED ports #3 {} {'code': 'A', 'name': 'Alpha'}",
            "4 CREATED calls  {} {'voyage_id': '#2', 'port_no': '#3', 'berth': 'b1'}",
        ]
        assert [(one.table, one.created) for one in planned.tables] == [
            ("calls", 1), ("ports", 1), ("ships", 2), ("voyages", 1),
        ]  # fmt: skip
        assert [result.row.key for result in await fleet.results(planned.id)] == [None] * 5


async def test_a_plan_tells_what_would_be_changed_and_removed(path: Place) -> None:
    async with drive(path) as fleet:
        await fleet.run(SHIPS)
        (star,) = fleet.rows("SELECT ship_id FROM ships WHERE name = 'Sea Star'")
        (voyage,) = fleet.rows("SELECT voyage_id FROM voyages")
        (port,) = fleet.rows("SELECT port_no FROM ports")
        session = await fleet.ready(f"""
            (ship.load :ship "{star}" :tonnage 9)
            (ship.ensure :name "Sea Stone" :tonnage 7 :active false :draft 2.5)
            (call.drop :voyage "{voyage}" :port {port})
            (port.touch :code "A" :name "Alpha")
            (port.touch :code "none" :name "Alpha")
        """)
        before = fleet.dump()
        planned = await fleet.plan(session)
        assert fleet.dump() == before
        (stone,) = fleet.rows("SELECT ship_id FROM ships WHERE name = 'Sea Stone'")
        effects = await fleet.effects(planned.id)
        assert told(effects) == [
            f"0 UPDATED ships {star} {{'tonnage': 5}} {{'tonnage': 9}}",
            f"1 UPDATED ships {stone} {{'active': True}} {{'active': False}}",
            f"2 DELETED calls  {{'voyage_id': '{voyage}', 'port_no': {port}, 'berth': 'b1'}} {{}}",
        ]
        assert [effect.display for effect in effects] == ["Sea Star", "Sea Stone", ""]
        assert await fleet.effects(planned.id, tables=("calls",)) == effects[2:]
        assert await fleet.effects(planned.id, kinds=(Effect.UPDATED,)) == effects[:2]


async def test_a_submit_bound_to_a_plan_does_what_was_planned(path: Place) -> None:
    async with drive(path) as fleet:
        session = await fleet.ready(SHIPS)
        planned = await fleet.plan(session)
        again = await fleet.plan(session)
        assert len(planned.plan_digest) == 64
        assert again.plan_digest == planned.plan_digest
        ended = await fleet.finish(await fleet.submit(session, plan_digest=planned.plan_digest))
        assert ended.state.value == "SUCCEEDED", ended.error
        assert ended.tables == planned.tables
        keys = [result.row.key for result in await fleet.results(ended.id)]
        done = await fleet.effects(ended.id)
        assert [effect.key for effect in done] == [*keys[:4], None]
        assert done[2].after["ship_id"] == keys[0]


async def test_a_stale_plan_applies_nothing_and_says_what_changed(path: Place) -> None:
    async with drive(path) as fleet:
        await fleet.run(SHIPS)
        (star,) = fleet.rows("SELECT ship_id FROM ships WHERE name = 'Sea Star'")
        session = await fleet.ready(f'(ship.load :ship "{star}" :tonnage 9)')
        planned = await fleet.plan(session)
        fleet.change("UPDATE ships SET tonnage = 6 WHERE name = 'Sea Star'")
        before = fleet.dump()
        ended = await fleet.finish(await fleet.submit(session, plan_digest=planned.plan_digest))
        assert ended.error is not None
        assert (ended.state.value, ended.error.code) == ("FAILED", "PLAN_STALE")
        (change,) = ended.error.changes
        assert change.planned is not None
        assert change.actual is not None
        assert (change.planned.before, change.actual.before) == ({"tonnage": 5}, {"tonnage": 6})
        assert fleet.dump() == before
        assert await fleet.state(session) is State.READY
        again = await fleet.plan(session)
        assert again.plan_digest != planned.plan_digest
        ended = await fleet.finish(await fleet.submit(session, plan_digest=again.plan_digest))
        assert ended.state.value == "SUCCEEDED"


async def test_a_plan_whose_statement_fails_is_rolled_back_and_reports_all_failures(path: Place) -> None:
    async with drive(path) as fleet:
        await fleet.run('(ship.create :name "Sea Star")')
        session = await fleet.ready('(ship.create :name "Sea Star") (port.close :code "x") (port.ensure :code "B")')
        planned = await fleet.plan(session)
        assert planned.error is not None
        assert (planned.state.value, planned.error.statement_index) == ("ROLLED_BACK", 0)
        assert planned.status_counts == {"FAILED": 2, "ROLLED_BACK": 1}
        assert (planned.plan_digest, await fleet.effects(planned.id)) == ("", [])
        assert await fleet.state(session) is State.READY


async def test_a_constraint_that_waits_for_the_commit_is_seen_in_the_plan(path: Place) -> None:
    async with drive(path) as fleet:
        session = await fleet.ready('(pledge.set :pledge "p" :flag "nowhere")')
        planned = await fleet.plan(session)
        assert planned.error is not None
        assert (planned.state.value, planned.error.code) == ("FAILED", "DB_CONSTRAINT")
        assert await fleet.state(session) is State.READY
