"""What a failure holds back: transitive users of its symbols, later writers after a failed assert, nobody else."""

from collections.abc import Set as AbstractSet

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning import naive
from tests.planning.harbour import CATALOG, KNOWN
from tests.planning.sheets import sheets

from sheetgrpc.catalog.model import VerbKind
from sheetgrpc.dsl.ast import Call
from sheetgrpc.dsl.printer import print_sheet
from sheetgrpc.planning import blocking
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.model import ErrorCode, Plan, Results, StatementError, Status

BROKEN = StatementError(ErrorCode.DB_CONSTRAINT, "broken")

CASES: dict[str, tuple[list[str], set[int], dict[int, int]]] = {
    "users of its symbol, however far, and wherever it stands": (
        [
            '(port.ensure :code "HAM" :as @p)',
            '(berth.ensure :port @p :label "Quay 1" :as @q)',
            '(visit.record :ship "Aurora" :berth @q :day "2024-01-01")',
            "(survey.create :found {:at [{:berth @q}]})",
            "(survey.create :title @p)",
            '(berth.ensure :port (port.ensure :code "X") :label "Quay 2")',
        ],
        {0},
        {1: 0, 2: 0, 3: 0, 4: 0},
    ),
    "not what only comes later: another write, a read, a delete": (
        [
            '(ship.rename :ship "Aurora" :callsign "X")',
            '(ship.rename :ship "Aurora" :callsign "Y")',
            '(ship.find :name "Boreas" :as @b)',
            "(ship.list)",
            '(ship.retire :flag "FI" :active false)',
            '(ship.scrap :ship "Aurora")',
        ],
        {0},
        {},
    ),
    "the lowest root is named": (
        [
            '(ship.ensure :name "Ceres" :as @c)',
            '(port.ensure :code "HAM" :as @p)',
            '(ship.ensure :name "Doris" :sister @c :home @p :as @d)',
            '(visit.record :ship @d :berth 7 :day "2024-01-01" :pilots [@c])',
        ],
        {0, 1},
        {2: 0, 3: 0},
    ),
    "the lowest root, and not the nearest": (
        [
            '(port.ensure :code "HAM" :as @p)',
            '(ship.ensure :name "Ceres" :home @p :as @c)',
            '(ship.ensure :name "Doris" :as @d)',
            '(visit.record :ship @d :berth 7 :day "2024-01-01" :pilots [@c])',
        ],
        {0, 2},
        {1: 0, 3: 0},
    ),
    "a failed assert: later writers of its table and what hangs on them": (
        [
            '(ship.ensure :name "Ceres")',
            "(ship.expect :ship @old-ship)",
            '(ship.ensure :name "Doris" :as @d)',
            "(ship.list)",
            '(port.ensure :code "HAM")',
            '(visit.record :ship @d :berth 7 :day "2024-01-01")',
            '(visit.record :ship "Aurora" :berth 7 :day "2024-01-01")',
            '(ship.scrap :ship "Boreas")',
        ],
        {1},
        {2: 1, 5: 1, 7: 1},
    ),
    "an assert that a failure skips fails nobody else": (
        [
            '(ship.ensure :name "Ceres" :as @c)',
            "(ship.expect :ship @c)",
            '(ship.ensure :name "Doris")',
        ],
        {0},
        {1: 0},
    ),
}


def run(plan: Plan, failing: AbstractSet[int]) -> Results:
    """A run in which these statements fail, if their turn comes."""
    results = Results.fresh(plan.count)
    for index in range(plan.count):
        results.keys[index] = f"key {index}"
    for at in range(0, len(plan.batches), 4):
        number, start, stop, depth = plan.batches[at : at + 4]
        group = plan.groups[number]
        blocking.skip(CATALOG, results, group, start, stop, depth)
        for index in group.indexes[start:stop]:
            if results.status[index] == Status.SKIPPED:
                continue
            if index in failing:
                blocking.fail(CATALOG, plan, results, index, BROKEN)
            else:
                results.status[index] = Status.SUCCESS
    return results


def blocked(results: Results) -> dict[int, int | None]:
    return {index: error.blocked_by for index, error in results.errors.items() if error.code is ErrorCode.BLOCKED}


def planned(source: str) -> Plan:
    plan = analyse(source, CATALOG, KNOWN).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize(("statements", "failing", "expected"), CASES.values(), ids=CASES)
def test_blocked(statements: list[str], failing: set[int], expected: dict[int, int]) -> None:
    results = run(planned("\n".join(statements)), failing)
    assert blocked(results) == expected
    assert {i for i, status in enumerate(results.status) if status == Status.SKIPPED} == expected.keys()
    assert {i for i, status in enumerate(results.status) if status == Status.FAILED} == failing
    assert {i for i, key in enumerate(results.keys) if key is None} == failing | expected.keys()


def test_what_would_hang_on_a_failure_is_skipped_also_where_the_run_stops_before_it() -> None:
    plan = planned(
        '(port.ensure :code "HAM" :as @p) (berth.ensure :port @p :label "Quay 1" :as @q)'
        " (berth.deepen :berth @q :depth 1) (berth.deepen :berth 7 :depth 2)"
    )
    results = Results.fresh(plan.count)
    blocking.fail(CATALOG, plan, results, 0, BROKEN)
    blocking.skip_rest(CATALOG, plan, results, 1)
    assert list(results.status) == [Status.FAILED, Status.SKIPPED, Status.SKIPPED, Status.RESOLVED]
    assert blocked(results) == {1: 0, 2: 0}


@settings(max_examples=100, deadline=None)
@given(sheets(forward=True), st.sets(st.integers(0, 15), max_size=4))
def test_the_naive_way_blocks_the_same(sheet: list[Call], failing: set[int]) -> None:
    source = print_sheet(sheet)
    plan = analyse(source, CATALOG, KNOWN).plan
    if plan is None:
        return
    results = run(plan, failing)
    planner = naive.Planner(source, CATALOG, KNOWN)
    roots = naive_roots(planner, failing)
    assert blocked(results) == {index: min(found) for index, found in roots.items() if index not in found}
    assert {i for i, s in enumerate(results.status) if s == Status.FAILED} == {i for i, f in roots.items() if i in f}


def naive_roots(planner: naive.Planner, failing: AbstractSet[int]) -> dict[int, set[int]]:
    """By statement that fails or is skipped: every failure that it hangs on, itself where it failed."""
    roots: dict[int, set[int]] = {}
    asserts: list[int] = []
    for index in planner.canonical():
        verb = planner.statements[index].verb
        found = {root for need in planner.needs(index) for root in roots.get(need, ())}
        if verb.kind not in naive.READS:
            found |= {failed for failed in asserts if planner.statements[failed].verb.table == verb.table}
        if found:
            roots[index] = found
        elif index in failing:
            roots[index] = {index}
            asserts += [index] if verb.kind is VerbKind.ASSERT else []
    return roots
