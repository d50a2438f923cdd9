"""What a failing statement does to itself, to those that hang on it, and to all the others."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from tests.engine.driving import BEST, COLLECT, UNUSED, Driver, Ran

from sheetgrpc.session.model import Mode

ATOMIC = Mode.ATOMIC
COUNT = 1000
SHIP, VOYAGE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
SQL = re.compile(r"SELECT|INSERT|UPDATE |DELETE |VALUES|WHERE|sqlite|trigger_|secret|\?|json_|Traceback|Error")

Make = Callable[[int], str]


def _ports(database: Driver) -> None:
    database.change("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)"
                    " INSERT INTO ports (port_no, code, name) SELECT i, 'P' || i, 'x' FROM n")  # fmt: skip
    database.change(f"INSERT INTO ships (ship_id, name, tonnage) VALUES ('{SHIP}', 'taken', 5)")
    database.change(f"INSERT INTO voyages (voyage_id, ship_id, number) VALUES ('{VOYAGE}', '{SHIP}', 1)")
    database.change("INSERT INTO sailors (email) VALUES ('taken')")
    database.change("INSERT INTO flags (code) SELECT code FROM ports")
    database.change(f"INSERT INTO ships (ship_id, name, flag_code) VALUES ('{UNUSED}', 'flagged', 'P1001')")


# kind and constraint: (a statement that is done, one of the same shape that is not, why)
FAULTS: dict[str, tuple[Make, str, str, str]] = {
    "create, unique, key of the server": (
        lambda at: f'(ship.create :name "{at}")', '(ship.create :name "taken")', "DB_CONSTRAINT", "unique",
    ),
    "create, unique, key of the database": (
        lambda at: f'(sailor.hire :email "{at}")', '(sailor.hire :email "taken")', "DB_CONSTRAINT", "unique",
    ),
    "create, check": (
        lambda at: f'(sailor.hire :email "{at}" :age 20)', '(sailor.hire :email "x" :age 3)', "DB_CONSTRAINT", "check",
    ),
    "create, not null": (
        lambda at: f'(sailor.hire :email "{at}" :age 20)', '(sailor.hire :email "x" :age nil)',
        "DB_CONSTRAINT", "not null",
    ),
    "create, foreign key, key of the database": (
        lambda at: f'(sailor.hire-with-id :email "{at}" :ship "{SHIP}")',
        '(sailor.hire-with-id :email "x" :ship "99999999-9999-4999-8999-999999999999")', "DB_CONSTRAINT", "foreign key",
    ),
    "ensure that inserts, check": (
        lambda at: f'(ship.ensure :name "{at}" :tonnage 1)', '(ship.ensure :name "x" :tonnage 0)',
        "DB_CONSTRAINT", "check",
    ),
    "ensure that updates, check": (
        lambda at: f'(port.ensure :code "P{at + 1}" :name "y")', f'(port.ensure :code "P1001" :name "{"y" * 40}")',
        "DB_CONSTRAINT", "check",
    ),
    "link, foreign key": (
        lambda at: f'(call.set-raw :voyage "{VOYAGE}" :port {at + 1})', f'(call.set-raw :voyage "{VOYAGE}" :port 5000)',
        "DB_CONSTRAINT", "foreign key",
    ),
    "update, check": (
        lambda at: f'(port.rename :port {at + 1} :name "y")', f'(port.rename :port 1001 :name "{"y" * 40}")',
        "DB_CONSTRAINT", "check",
    ),
    "update, unique": (
        lambda at: f'(port.recode :from "P{at + 1}" :to "Q{at + 1}")', '(port.recode :from "p1001" :to "q1")',
        "DB_CONSTRAINT", "unique",
    ),
    "update, nothing there": (
        lambda at: f'(port.recode :from "P{at + 1}" :to "Q{at + 1}")', '(port.recode :from "none" :to "q")',
        "ENTITY_NOT_FOUND", "",
    ),
    "delete, foreign key": (
        lambda at: f'(flag.delete :code "P{at + 1}")', '(flag.delete :code "P1001")', "DB_CONSTRAINT", "foreign key",
    ),
    "delete, nothing there": (
        lambda at: f'(port.close :code "P{at + 1}")', '(port.close :code "none")', "ENTITY_NOT_FOUND", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "code", "detail"), FAULTS.values(), ids=FAULTS)
async def test_the_failing_statement_of_a_batch_is_found_exactly(
    fleet: Driver, good: Make, bad: str, code: str, detail: str
) -> None:
    """Wherever it stands: those before are undone, those after were never run, the tables are as they were."""
    _ports(fleet)
    before = fleet.dump()
    places = [0, COUNT // 2, COUNT - 1]
    if "q1" in bad:
        places = places[1:]  # it fails because of an earlier one
    for place in places:
        sheet = "".join(good(at) if at != place else bad for at in range(COUNT))
        ran = await fleet.run(sheet)
        error = ran.execution.error
        assert error is not None
        assert (ran.state, error.code, error.statement_index) == ("ROLLED_BACK", code, place)
        assert ran.statuses == ["ROLLED_BACK"] * place + ["FAILED"] + ["NOT_RUN"] * (COUNT - 1 - place)
        _check_undone(ran)
        cause = ran.results[place].error
        assert cause is not None
        assert cause.detail.partition(":")[0] == detail  # a constraint is named where the database names it
        assert fleet.dump() == before


@pytest.mark.parametrize(("good", "bad", "code", "detail"), FAULTS.values(), ids=FAULTS)
async def test_best_effort_does_everything_but_the_failing_statements(
    fleet: Driver, good: Make, bad: str, code: str, detail: str
) -> None:
    _ports(fleet)
    places = {3, 40, 99} - ({0} if "q1" in bad else set())
    ran = await fleet.run("".join(good(at) if at not in places else bad for at in range(100)), BEST)
    assert (ran.state, ran.errors) == ("PARTIAL", dict.fromkeys(sorted(places), code))
    assert ran.statuses == ["FAILED" if at in places else "SUCCESS" for at in range(100)]
    assert [effect for at, effect in enumerate(ran.effects) if at in places] == ["NONE"] * 3
    assert sum(t.created + t.updated + t.unchanged + t.deleted for t in ran.execution.tables) == 97


def _check_undone(ran: Ran) -> None:
    """After a rollback nothing reads SUCCESS, no key is told, and the counts add up."""
    counts = ran.execution.status_counts
    assert counts == dict(Counter(ran.statuses))
    assert sum(counts.values()) == ran.execution.statements_total
    assert "SUCCESS" not in counts
    assert set(ran.keys) == {None}
    assert set(ran.effects) == {"NONE"}
    assert ran.execution.tables == ()


TREE = (
    '(ship.ensure :name "S" :as @s)'  # 0
    '(ship.ensure :name "bad" :tonnage 0 :as @bad)'  # 1 fails
    "(voyage.ensure :ship @s :number 1 :as @v)"  # 2
    "(voyage.ensure :ship @bad :number 2 :as @w)"  # 3 hangs on 1
    '(port.ensure :code "P" :as @p)'  # 4
    "(call.set :voyage @w :port @p)"  # 5 hangs on 3, so on 1
    "(call.set :voyage @v :port @p)"  # 6
    '(ship.ensure :name "worse" :tonnage -1 :as @worse)'  # 7 fails
    "(voyage.ensure :ship @worse :number 3 :meta [@bad])"  # 8 hangs on both
    "(voyage.ensure :ship @s :number 4 :meta {:x [@worse]})"  # 9 hangs on 7, by its json
)


async def test_atomic_stops_at_the_lowest_failure_of_the_first_failing_batch(fleet: Driver) -> None:
    before = fleet.dump()
    ran = await fleet.run(TREE)
    assert (ran.state, ran.errors) == (
        "ROLLED_BACK", {1: "DB_CONSTRAINT", 3: "BLOCKED", 5: "BLOCKED", 8: "BLOCKED"},
    )  # fmt: skip
    assert ran.blocked == {3: 1, 5: 1, 8: 1}
    assert [ran.statuses[at] for at in (0, 2, 4, 6, 7, 9)] == ["ROLLED_BACK"] + ["NOT_RUN"] * 5
    _check_undone(ran)
    assert fleet.dump() == before


async def test_atomic_collect_reports_every_failure_that_hangs_on_no_other(fleet: Driver) -> None:
    before = fleet.dump()
    ran = await fleet.run(TREE, COLLECT)
    assert ran.state == "ROLLED_BACK"
    assert [at for at, code in ran.errors.items() if code == "DB_CONSTRAINT"] == [1, 7]
    assert ran.blocked == {3: 1, 5: 1, 8: 1, 9: 7}
    assert Counter(ran.statuses) == {"ROLLED_BACK": 4, "FAILED": 2, "SKIPPED": 4}
    assert ran.execution.error is not None
    assert ran.execution.error.statement_index == 1
    _check_undone(ran)
    assert fleet.dump() == before


async def test_best_effort_commits_what_hangs_on_no_failure(fleet: Driver) -> None:
    ran = await fleet.run(TREE, BEST)
    assert (ran.state, ran.blocked) == ("PARTIAL", {3: 1, 5: 1, 8: 1, 9: 7})
    assert [at for at, status in enumerate(ran.statuses) if status == "SUCCESS"] == [0, 2, 4, 6]
    assert fleet.rows("SELECT name FROM ships") == ["S"]
    assert fleet.rows("SELECT voyage_id, port_no FROM calls") == [(ran.keys[2], 1)]
    assert [symbol.name for symbol in await fleet.engine.list_symbols(ran.session, "", 9)] == ["p", "s", "v"]


async def test_best_effort_rolls_back_if_nothing_succeeded(fleet: Driver) -> None:
    ran = await fleet.run('(ship.ensure :name "a" :tonnage 0 :as @a) (voyage.ensure :ship @a :number 1)', BEST)
    assert (ran.state, ran.statuses) == ("ROLLED_BACK", ["FAILED", "SKIPPED"])
    _check_undone(ran)


async def test_atomic_and_collect_agree_on_a_sheet_without_failures(fleet: Driver) -> None:
    sheet = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'
    assert [(await fleet.run(sheet, mode)).state for mode in (ATOMIC, COLLECT, BEST)] == ["SUCCEEDED"] * 3


@pytest.mark.parametrize("mode", [COLLECT, BEST])
async def test_a_failed_assert_holds_back_later_writers_of_its_table_alone(fleet: Driver, mode: Mode) -> None:
    ran = await fleet.run(
        '(port.ensure :code "early") (port.is-there :code "none") (port.ensure :code "late" :as @late)'
        ' (port.rename :port @late :name "x") (ship.ensure :name "S") (port.list)',
        mode,
    )
    assert ran.blocked == {2: 1, 3: 1}
    assert ran.errors[1] == "ASSERTION_FAILED"
    if mode is BEST:
        assert fleet.rows("SELECT code FROM ports") == ["early"]
        assert ran.statuses[4:] == ["SUCCESS", "SUCCESS"]


async def test_a_resolved_key_that_is_gone_at_run_time_fails_its_statements(fleet: Driver) -> None:
    """Found at parse, deleted by somebody else before the run."""
    ran = await fleet.run('(ship.ensure :name "S") (ship.ensure :name "T")')
    gone, kept = ran.keys
    session = await fleet.ready(
        f'(voyage.ensure :ship "{gone}" :number 1 :as @v) (voyage.ensure :ship "{kept}" :number 1)'
        f" (call.list :voyage @v) (ship.load :ship <S> :tonnage 2)"
    )
    fleet.change("DELETE FROM ships WHERE ship_id = ?", gone)
    execution = await fleet.finish(await fleet.submit(session, COLLECT))
    after = Ran(session, execution, await fleet.results(execution.id))
    assert after.errors == {0: "ENTITY_NOT_FOUND", 2: "BLOCKED", 3: "ENTITY_NOT_FOUND"}
    assert after.results[0].error is not None
    assert gone in after.results[0].error.message


async def test_a_constraint_checked_at_commit_fails_the_execution_and_no_statement(fleet: Driver) -> None:
    before = fleet.dump()
    ran = await fleet.run('(pledge.set :pledge "p" :flag "none") (ship.ensure :name "S" :as @s)')
    error = ran.execution.error
    assert error is not None
    assert (ran.state, error.code, error.statement_index) == ("FAILED", "DB_CONSTRAINT", None)
    assert ran.statuses == ["ROLLED_BACK", "ROLLED_BACK"]
    _check_undone(ran)
    assert fleet.dump() == before
    later = await fleet.run('(flag.ensure :code "none") (pledge.set :pledge "p" :flag "none")', session=ran.session)
    assert later.state == "SUCCEEDED"


@pytest.mark.parametrize("path", ["sqlite"], indirect=True)  # no trigger can do that in PostgreSQL
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("others", [0, 5])
async def test_a_trigger_that_ends_the_transaction_fails_the_execution(fleet: Driver, mode: Mode, others: int) -> None:
    """Nothing that comes after it may be written outside of a transaction; the session goes on."""
    before = fleet.dump()
    more = "".join(f'(bad.kind :name "{at}")' for at in range(others))
    ran = await fleet.run(
        '(ship.ensure :name "S")' + more + '(bad.kind :name "rollback") (port.ensure :code "P")', mode
    )
    error = ran.execution.error
    assert error is not None
    assert (ran.state, error.code, error.statement_index) == ("FAILED", "DB_CONSTRAINT", None)
    assert fleet.dump() == before
    _check_undone(ran)
    assert (await fleet.run('(bad.kind :name "fine")', session=ran.session)).state == "SUCCEEDED"


@pytest.mark.parametrize(
    ("name", "code"),
    [("abort", "DB_CONSTRAINT"), ("fail", "DB_CONSTRAINT"), ("ignore", "DB_CONSTRAINT"), ("break", "INTERNAL")],
)
@pytest.mark.parametrize("alone", [True, False])
async def test_a_trigger_that_refuses_a_row_fails_that_statement_alone(
    fleet: Driver, name: str, code: str, alone: bool
) -> None:
    """And nothing of it stays behind, whatever the trigger had written."""
    others = "" if alone else '(bad.kind :name "a" :text "{}") (bad.kind :name "b" :text "{}")'
    ran = await fleet.run(f'(ship.ensure :name "S") {others} (bad.kind :name "{name}" :text "no json")', BEST)
    assert (ran.state, ran.errors) == ("PARTIAL", {len(ran.results) - 1: code})
    assert fleet.rows("SELECT name FROM bad") == ([] if alone else ["a", "b"])
    assert fleet.rows("SELECT name FROM bad_log") == []


async def test_error_texts_hold_no_sql(fleet: Driver) -> None:
    """Neither the server's nor that of a trigger, nor what the database says."""
    _ports(fleet)
    names = ["abort", "fail", "ignore", "break"]
    sheet = "".join(bad for _, bad, _, _ in FAULTS.values() if "q1" not in bad)
    ran = await fleet.run(sheet + "".join(f'(bad.kind :name "{name}" :text "no json")' for name in names), COLLECT)
    texts = [f"{row.error.message} {row.error.detail}" for row in ran.results if row.error is not None]
    assert len(texts) == len(FAULTS) - 1 + len(names)
    error = (await fleet.run('(bad.kind :name "rollback")')).execution.error
    texts += [error.message] if error is not None else []  # PostgreSQL's trigger lets this one pass
    assert [text for text in texts if SQL.search(text)] == []


async def test_failures_know_their_place_in_the_source(fleet: Driver) -> None:
    sheet = '; é\n(ship.ensure :name "é")\n  (ship.ensure :name "x" :tonnage 0)'
    ran = await fleet.run(sheet)
    assert ran.views[0].span is None
    span = ran.views[1].span
    assert span is not None
    assert sheet.encode()[span.offset : span.offset + span.length] == b'(ship.ensure :name "x" :tonnage 0)'
    assert (span.line, span.column) == (3, 3)


@pytest.mark.parametrize("path", ["sqlite"], indirect=True)  # of PostgreSQL's limits tests/store/test_postgres.py
async def test_a_value_that_is_too_large_fails_its_statement(fleet: Driver) -> None:
    """For the database: SQLite's own limit of a text, lowered here as an administrator might."""
    fleet.change("CREATE TRIGGER too_large BEFORE INSERT ON flags BEGIN SELECT zeroblob(2000000000); END")
    ran = await fleet.run('(ship.ensure :name "S") (flag.ensure :code "LU")', BEST)
    assert (ran.state, ran.errors) == ("PARTIAL", {1: "INVALID_ARGUMENT"})


async def test_a_sheet_that_committed_is_spent(fleet: Driver) -> None:
    """Partly is enough; one that was rolled back may be parsed and run again."""
    spent = await fleet.run(TREE, BEST)
    actions = (await fleet.engine.get_session(spent.session)).allowed_actions
    assert {"ParseSheet", "SubmitSheet"}.isdisjoint(actions)
    undone = await fleet.run(TREE)
    actions = (await fleet.engine.get_session(undone.session)).allowed_actions
    assert "ParseSheet" in actions
