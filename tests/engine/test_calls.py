"""What call verbs do: their functions run inside the transaction, and a failing one is a failing statement."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tests.engine.calling import Calls, drive_calls
from tests.engine.driving import BEST, COLLECT
from tests.engine.places import Place

from sheetgrpc.planning.model import Effect, Emitted
from sheetgrpc.session.model import Mode
from sheetgrpc.store.records import TableCounts


@pytest.fixture
async def calls(path: Place, tmp_path: Path) -> AsyncIterator[Calls]:
    async with drive_calls(path, tmp_path) as driven:
        yield driven


async def test_a_call_reads_and_writes_within_the_run_and_binds_a_key(calls: Calls) -> None:
    fleet = calls.fleet
    ran = await fleet.run(
        '(ship.ensure :name "Sea" :as @sea)'
        '(crew.sign :ship @sea :email "a@sea" :as @anna)'
        '(crew.build :name "New" :count 2 :as @new)'
        "(voyage.ensure :ship @new :number 1 :meta {:first @anna})"
    )
    assert (ran.state, ran.errors) == ("SUCCEEDED", {})
    assert ran.effects == ["CREATED", "CALLED", "CALLED", "CREATED"]
    sea, anna, new = ran.keys[:3]
    assert fleet.rows("SELECT sailor_no, email, ship_id, age FROM sailors") == [(anna, "a@sea", sea, 20)]
    assert fleet.rows("SELECT ship_id FROM voyages") == [new]
    assert fleet.rows("SELECT name FROM ships ORDER BY name") == ["New 0", "New 1", "Sea"]
    assert fleet.rows("SELECT ship_id FROM ships WHERE name = 'New 0'") == [new]
    assert TableCounts("ships", created=3) in ran.execution.tables
    assert TableCounts("sailors", created=1) in ran.execution.tables


async def test_keys_that_the_server_makes_for_a_call_are_uuids_of_their_own(calls: Calls) -> None:
    ran = await calls.fleet.run('(crew.build :name "A" :count 40) (crew.build :name "B" :count 40)')
    keys = calls.fleet.rows("SELECT ship_id FROM ships")
    assert (ran.state, len(set(keys))) == ("SUCCEEDED", 80)
    assert {key[14] for key in keys} == {"7"}


async def test_a_handler_gets_typed_arguments(calls: Calls) -> None:
    await calls.fleet.run('(port.ensure :code "P") (ship.ensure :name "S")')
    ran = await calls.fleet.run(
        '(port.ensure :code "P" :as @p) (ship.ensure :name "S" :as @s)'
        '(crew.echo :text "t" :exact 1.50 :truth true :day "2024-01-31" :time "2024-01-31T09:30:00+01:00"'
        ' :uuid "0190C2E0-0000-7000-8000-000000000000" :enum red :ship @s :tree {:a @s :b [1 nil]}'
        ' :days ["2024-01-31"] :ports [@p])'
        "(crew.echo)"
    )
    assert ran.errors == {}
    port, ship = ran.keys[:2]
    bare, full = calls.plugin.SEEN  # of depth 0, and of depth 1
    assert bare == dict.fromkeys(full) | {"whole": 7}
    assert full == {
        "text": "t",
        "whole": 7,
        "exact": Decimal("1.5"),
        "truth": True,
        "day": date(2024, 1, 31),
        "time": datetime(2024, 1, 31, 8, 30, tzinfo=UTC),
        "uuid": "0190c2e0-0000-7000-8000-000000000000",
        "enum": "RED",
        "ship": ship,
        "tree": {"a": ship, "b": [1, None]},
        "days": [date(2024, 1, 31)],
        "ports": [port],
    }


async def test_changes_and_removals_are_counted_by_row(calls: Calls) -> None:
    await calls.fleet.run('(port.ensure :code "A" :depth 3) (port.ensure :code "D" :name "doomed")')
    ran = await calls.fleet.run('(crew.change :code "A" :name "new")')
    assert ran.state == "SUCCEEDED"
    assert calls.fleet.rows("SELECT code, name, depth FROM ports") == [("A", "new", None)]
    assert ran.execution.tables == (TableCounts("ports", updated=1, unchanged=1, deleted=1),)


async def test_what_a_call_changes_is_told_row_by_row(calls: Calls) -> None:
    """The shape that a plan's effects take: table, kind, key, before, after."""
    await calls.fleet.run('(port.ensure :code "A" :name "old") (port.ensure :code "D" :name "doomed")')
    kept, doomed = calls.fleet.rows("SELECT port_no FROM ports ORDER BY code")
    session = await calls.fleet.ready('(crew.change :code "A" :name "new")')
    execution = await calls.fleet.submit(session)
    row = await calls.fleet.engine.get_execution(execution)
    run = calls.fleet.engine._context.runs.adopt(row)  # the one that it is claimed as, if it is not yet
    await calls.fleet.finish(execution)
    assert run._results is not None
    (emitted,) = run._results.emitted.values()
    changed = Emitted(
        "ports", Effect.UPDATED, "port", kept, {"name": "old", "depth": None}, {"name": "new", "depth": None}
    )
    unchanged = Emitted("ports", Effect.UNCHANGED, "port", kept)
    gone = {"port_no": doomed, "code": "D", "name": "doomed", "depth": None}
    told = Emitted("registry", Effect.CREATED, "", "r-1", {}, {"told": True})
    assert emitted == [changed, unchanged, Emitted("ports", Effect.DELETED, "port", doomed, gone), told]


FAILURES = [
    ("refused", "HANDLER_FAILED", "the harbour is closed", "since May"),
    ("bug", "HANDLER_FAILED", "the handler of crew.fail failed (error", ""),
    ("exit", "HANDLER_FAILED", "the handler of crew.fail failed (error", ""),
    ("reach", "HANDLER_FAILED", "the handler of crew.fail failed (error", ""),
    ("write", "HANDLER_FAILED", "the handler of crew.fail failed (error", ""),
    ("column", "HANDLER_FAILED", "the handler of crew.fail failed (error", ""),
    ("float", "HANDLER_FAILED", "the handler of crew.fail failed (error", ""),
    ("everything", "HANDLER_FAILED", "the handler of crew.fail failed (error", ""),
    ("left", "HANDLER_FAILED", "the handler of crew.fail answered no key, and :as needs one", ""),
    ("twice", "DB_CONSTRAINT", "flags: another row has", None),
    ("caught", "DB_CONSTRAINT", "flags: another row has", None),
]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(("how", "code", "message", "detail"), FAILURES, ids=[one[0] for one in FAILURES])
async def test_a_failing_call_is_a_failing_statement(
    calls: Calls, mode: Mode, how: str, code: str, message: str, detail: str | None
) -> None:
    """Its dependents are skipped, nothing of it stays, and nobody reads what an exception says."""
    before = calls.fleet.dump()
    sheet = f'(crew.fail :code "F" :how "{how}" :as @f) (ship.ensure :name "S" :flag @f) (port.ensure :code "P")'
    ran = await calls.fleet.run(sheet, mode)
    error = ran.results[0].error
    assert error is not None
    assert (error.code, error.message[: len(message)]) == (code, message)
    assert detail is None or error.detail == detail
    assert "secret" not in error.message + error.detail
    assert ran.statuses[:2] == ["FAILED", "SKIPPED"]
    assert ran.blocked == {1: 0}
    assert calls.fleet.rows("SELECT code FROM flags") == []
    if mode is BEST:
        assert (ran.state, ran.statuses[2], ran.effects[2]) == ("PARTIAL", "SUCCESS", "CREATED")
        assert calls.fleet.rows("SELECT code FROM ports") == ["P"]
        return
    assert (ran.state, ran.statuses[2]) == ("ROLLED_BACK", "ROLLED_BACK" if mode is COLLECT else "NOT_RUN")
    assert calls.fleet.dump() == before


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_look_up_that_the_database_refuses_fails_its_call_alone(calls: Calls, mode: Mode) -> None:
    """PostgreSQL undoes more than that by itself; SQLite finds nothing, and goes on."""
    ran = await calls.fleet.run('(crew.fail :code "A" :how "no key") (crew.fail :code "B" :how ok)', mode)
    well = isinstance(calls.fleet.path, Path)
    assert ran.errors == ({} if well else {0: "INVALID_ARGUMENT"})
    if mode is BEST:
        assert calls.fleet.rows("SELECT code FROM flags ORDER BY code") == (["A", "B"] if well else ["B"])


@pytest.mark.parametrize("mode", list(Mode))
async def test_of_many_calls_exactly_those_fail_that_do(calls: Calls, mode: Mode) -> None:
    """Later ones see nothing of them; ATOMIC stops at the first."""
    hows = ["ok", "refused", "ok", "bug", "ok"]
    sheet = "".join(f'(crew.fail :code "C{at}" :how {how})' for at, how in enumerate(hows))
    ran = await calls.fleet.run(sheet, mode)
    if mode is Mode.ATOMIC:
        assert (ran.state, ran.statuses) == ("ROLLED_BACK", ["ROLLED_BACK", "FAILED", "NOT_RUN", "NOT_RUN", "NOT_RUN"])
        return
    well = "SUCCESS" if mode is BEST else "ROLLED_BACK"
    assert ran.statuses == [well, "FAILED", well, "FAILED", well]
    expected = ["C0", "C2", "C4"] if mode is BEST else []
    assert calls.fleet.rows("SELECT code FROM flags ORDER BY code") == expected


@pytest.mark.parametrize("mode", list(Mode))
async def test_an_async_handler_fails_alike(calls: Calls, mode: Mode) -> None:
    """And what it left running ends with it."""
    ran = await calls.fleet.run("(crew.fail-async)", mode)
    error = ran.results[0].error
    assert error is not None
    assert (ran.state, error.code, error.message) == ("ROLLED_BACK", "HANDLER_FAILED", "the tide is out")


async def test_an_answer_that_is_no_key_of_the_verbs_entity_fails(calls: Calls) -> None:
    ran = await calls.fleet.run('(crew.fail :code "F" :how answer)')
    assert (ran.state, ran.keys) == ("SUCCEEDED", ["a key"])  # of type string any text is one
    ran = await calls.fleet.run('(crew.build :name "N" :count 0) (crew.build :name "M" :count 0 :as @m)')
    assert (ran.state, ran.errors) == ("ROLLED_BACK", {1: "HANDLER_FAILED"})


async def test_an_entity_that_is_gone_fails_the_call_before_its_handler_runs(calls: Calls) -> None:
    ship = (await calls.fleet.run('(ship.ensure :name "S")')).keys[0]
    session = await calls.fleet.ready(f'(crew.echo :text "one") (crew.echo :ship "{ship}")')
    calls.fleet.change("DELETE FROM ships")
    execution = await calls.fleet.finish(await calls.fleet.submit(session, BEST))
    assert (execution.state.value, [seen["text"] for seen in calls.plugin.SEEN]) == ("PARTIAL", ["one"])


async def test_a_call_stands_between_those_who_write_what_it_reaches(calls: Calls) -> None:
    """What is above it in the sheet it sees, what is below it does not."""
    ran = await calls.fleet.run(
        '(port.ensure :code "A" :name "a") (crew.change :code "A" :name "b") (port.ensure :code "A" :name "c")'
    )
    assert (ran.state, [row.depth for row in ran.results]) == ("SUCCEEDED", [0, 1, 2])
    assert calls.fleet.rows("SELECT name FROM ports") == ["c"]


async def test_a_failed_assert_blocks_calls_that_write_its_table(calls: Calls) -> None:
    ran = await calls.fleet.run('(port.is-there :code "A") (crew.change :code "A" :name "b") (crew.echo)', COLLECT)
    assert (ran.blocked, ran.statuses) == ({1: 0}, ["FAILED", "SKIPPED", "ROLLED_BACK"])


async def test_many_calls_are_one_batch(calls: Calls) -> None:
    """10,000 of them need no more phases than one."""
    ran = await calls.fleet.run("".join(f'(crew.echo :text "{at}")' for at in range(3000)))
    assert (ran.state, ran.execution.phases_total) == ("SUCCEEDED", 1)
    assert [seen["text"] for seen in calls.plugin.SEEN] == [str(at) for at in range(3000)]


async def test_the_trust_decision_is_recorded_with_the_execution(calls: Calls) -> None:
    """C-R43, and the decision object of the requirements' section 2: only where the sheet calls anything."""
    plain = await calls.fleet.run('(port.ensure :code "A")')
    called = await calls.fleet.run("(crew.echo)")
    (module,) = called.execution.trusted_modules
    assert plain.execution.trusted_modules == ()
    assert (module.module, module.signer) == ("fleet_calls", "")
    assert (await calls.fleet.engine.get_execution(called.execution.id)).trusted_modules == (module,)
    assert calls.fleet.engine.trusted_modules == (module,)
