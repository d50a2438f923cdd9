"""The table of edges (DESIGN section 6) row by row, and sheets of a size where nothing may recurse or be quadratic."""

from array import array

import pytest
from tests.planning import naive
from tests.planning.harbour import AURORA, CATALOG, KNOWN

from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.model import Plan

AURORA_FI = '(ship.ensure :name "Aurora" :flag "FI")'
FIND = '(ship.find :name "Boreas" :flag "FI")'
LARGE = 100_000

EDGES = {
    "nothing in common": ([0, 0], [AURORA_FI, '(port.ensure :code "HAM")']),
    "a reader comes after every earlier writer of its table": (
        [0, 0, 1, 1],
        [AURORA_FI, '(ship.create :name "Doris" :flag "FI")', FIND, FIND],
    ),
    "and before every later one": ([0, 0, 1], [FIND, FIND, AURORA_FI]),
    "an assert likewise": (
        [0, 1, 2],
        [AURORA_FI, "(ship.expect :ship @old-ship)", '(ship.rename :ship @old-ship :callsign "X")'],
    ),
    "updates of one key, a symbol": (
        [0, 1, 2],
        ['(ship.ensure :name "Ceres" :as @c)', '(ship.rename :ship @c :callsign "X")', "(ship.rename :ship @c)"],
    ),
    "updates of one key, however it is written": (
        [0, 1, 2, 3],
        [
            f'(ship.rename :ship {key} :callsign "X")'
            for key in (f'"{AURORA}"', "@old-ship", "<AURO>", f'"{AURORA.upper()}"')
        ],
    ),
    "updates of two keys": (
        [0, 0],
        ['(ship.rename :ship "Aurora" :callsign "X")', '(ship.rename :ship "Boreas" :callsign "X")'],
    ),
    "an update by natural key and one by the symbol of that row": (
        [0, 1, 2],
        [
            '(ship.ensure :name "Ceres" :flag "FI" :as @c)',
            '(ship.reflag :name "Ceres" :flag "FI" :new-flag "NL")',
            '(ship.rename :ship @c :callsign "X")',
        ],
    ),
    "an update by another natural key of the table": (
        [0, 1],
        ['(ship.ensure :name "Ceres" :callsign "CER")', '(ship.recall :callsign "CER" :active true)'],
    ),
    "nil is no natural key": (
        [0, 0],
        ['(ship.ensure :name "Ceres" :callsign nil)', '(ship.ensure :name "Doris" :callsign nil)'],
    ),
    "a default fills a natural key": (
        [0, 1],
        ['(ship.ensure :name "Ceres")', '(ship.reflag :name "Ceres" :flag "LU" :new-flag "NL")'],
    ),
    "a default fills `by`": (
        [0, 1, 0],
        [
            '(ship.ensure :name "Ceres" :flag "LU")',
            '(ship.reflag :name "Ceres" :new-flag "NL")',
            '(ship.reflag :name "Doris" :new-flag "NL")',
        ],
    ),
    "a key that comes from an argument": (
        [0, 1, 2],
        [
            '(port.ensure :code "HAM" :as @p)',
            '(port.retitle :code "HAM" :title "Hamburg")',
            "(port.close :port @p)",
        ],
    ),
    "an unlink by natural key": (
        [0, 1, 2, 0],
        [
            '(visit.record :ship "Aurora" :berth 7 :day "2024-01-01")',
            '(visit.cancel :ship "Aurora" :berth "Quay 7" :day "2024-01-01")',
            '(visit.record :ship "Aurora" :berth 7 :day "2024-01-01")',
            '(visit.cancel :ship "Aurora" :berth 7 :day "2024-01-02")',
        ],
    ),
    "a delete comes after every earlier mention of its key": (
        [0, 0, 0, 0, 0, 0, 1],
        [
            '(ship.ensure :name "Ceres" :sister "Aurora")',
            f'(ship.ensure :name "Doris" :escorts ["Boreas" "{AURORA}"])',
            '(ship.ensure :name "Europa" :notes {:of [{:ship @old-ship}]})',
            '(visit.record :ship "Aurora" :berth 7 :day "2024-01-01")',
            '(ship.ensure :name "Flora" :sister "Boreas")',
            '(survey.create :title "no mention")',
            '(ship.scrap :ship "Aurora")',
        ],
    ),
    "mentions by symbol, in a uuid, in a list, in a map": (
        [0, 1, 1, 1, 2],
        [
            '(ship.create :name "Ceres" :flag "FI" :as @c)',
            "(survey.create :subject @c)",
            '(visit.record :ship "Aurora" :berth 7 :day "2024-01-01" :pilots [@c])',
            "(survey.create :found {:of [@c]})",
            "(ship.scrap :ship @c)",
        ],
    ),
    "and before every later mention": (
        [0, 1, 1, 0],
        [
            '(ship.scrap :ship "Aurora")',
            '(ship.ensure :name "Ceres" :sister "Aurora")',
            '(ship.ensure :name "Doris" :escorts ["AURO"])',
            '(ship.ensure :name "Europa" :sister "Boreas")',
        ],
    ),
    "a delete by natural key is one of the key that its maker bound": (
        [0, 1, 2],
        [
            '(ship.ensure :name "Ceres" :flag "FI" :as @c)',
            '(visit.record :ship @c :berth 7 :day "2024-01-01")',
            '(ship.scrap-named :name "Ceres" :flag "FI")',
        ],
    ),
    "equal ensures fold": ([0, 0, 0], [AURORA_FI, AURORA_FI, AURORA_FI]),
    "with other values the later one comes later": (
        [0, 1, 2],
        [AURORA_FI, '(ship.ensure :name "Aurora" :flag "FI" :crew 5)', AURORA_FI],
    ),
    "equal links fold, by symbol too": (
        [0, 1, 1, 2],
        [
            '(ship.ensure :name "Ceres" :as @c)',
            '(visit.record :ship @c :berth 7 :day "2024-01-01")',
            '(visit.record :ship @c :berth "Quay 7" :day "2024-01-01")',
            '(visit.record :ship @c :berth 7 :day "2024-01-01" :cargo "coal")',
        ],
    ),
    "creates never fold": ([0, 1], ['(ship.create :name "Ceres" :flag "FI")'] * 2),
    "another verb comes later": (
        [0, 1, 2],
        [AURORA_FI, '(ship.create :name "Aurora" :flag "FI")', '(ship.register :name "Aurora" :flag "FI")'],
    ),
    "what folds is never above the first": (
        [0, 1, 2, 2],
        [AURORA_FI, '(ship.reflag :name "Aurora" :flag "FI" :new-flag "NL")', AURORA_FI, AURORA_FI],
    ),
    "what comes after a fold comes after all of it": (
        [0, 1, 2, 3],
        [AURORA_FI, FIND, AURORA_FI, '(ship.ensure :name "Aurora" :flag "FI" :crew 5)'],
    ),
    "a change by another name keeps ensures from folding": (
        [0, 1, 2],
        [
            '(ship.ensure :name "Ceres" :callsign "CER")',
            '(ship.recall :callsign "CER" :active false)',
            '(ship.ensure :name "Ceres" :callsign "CER")',
        ],
    ),
    "a verb that selects by neither key nor natural key": (
        [0, 0, 1, 2, 2],
        [
            AURORA_FI,
            FIND.replace("ship.find", "ship.scrap-named"),
            '(ship.retire :flag "FI" :active false)',
            '(ship.ensure :name "Ceres")',
            '(ship.rename :ship "Boreas" :callsign "X")',
        ],
    ),
    "also where it reads": (
        [0, 1, 2, 3],
        ["(ship.list)", "(ship.list)", '(ship.count :flag "FI")', FIND.replace("ship.find", "ship.scrap-named")],
    ),
    "by part of a natural key": (
        [0, 1, 2],
        [
            '(visit.cancel :ship "Boreas" :berth 7 :day "2024-01-01")',
            '(visit.wipe :ship "Aurora")',
            '(visit.record :ship "Boreas" :berth 7 :day "2024-01-01")',
        ],
    ),
    "earlier means the canonical order": (
        [1, 0, 2, 0],
        [
            '(ship.rename :ship @c :callsign "X")',
            '(ship.ensure :name "Ceres" :as @c)',
            "(ship.scrap :ship @c)",
            '(ship.rename :ship "Boreas" :callsign "X")',
        ],
    ),
}


def plan(source: str) -> Plan:
    analysis = analyse(source, CATALOG, KNOWN)
    assert analysis.plan is not None, analysis.diagnostics
    return analysis.plan


@pytest.mark.parametrize(("depths", "statements"), EDGES.values(), ids=EDGES)
def test_edge(depths: list[int], statements: list[str]) -> None:
    assert list(plan("\n".join(statements)).depths) == depths


@pytest.mark.parametrize(("depths", "statements"), EDGES.values(), ids=EDGES)
def test_the_naive_planner_agrees(depths: list[int], statements: list[str]) -> None:
    assert naive.plan("\n".join(statements), CATALOG, KNOWN).depths == depths


def test_batches_of_a_phase_run_in_the_order_of_their_first_statements() -> None:
    found = plan(f'(port.ensure :code "A") {AURORA_FI} (port.ensure :code "B") (survey.create :title "T")')
    assert [found.groups[number].verb for number in found.batches[::4]] == [
        "port.ensure",
        "ship.ensure",
        "survey.create",
    ]
    assert [list(group.indexes) for group in found.groups] == [[0, 2], [1], [3]]


def test_a_chain_of_100_000_is_as_deep_as_it_is_long() -> None:
    links = [f'(ship.ensure :name "S{n}" :sister @s{n - 1} :as @s{n})' for n in range(1, LARGE)]
    found = plan("\n".join(['(ship.ensure :name "S0" :as @s0)', *links]))
    assert found.depths == array("i", range(LARGE))
    assert found.phase_count == LARGE
    assert found.batches[3::4] == array("i", range(LARGE))


def test_a_chain_written_backwards_is_as_deep() -> None:
    links = [f'(ship.ensure :name "S{n}" :sister @s{n + 1} :as @s{n})' for n in range(LARGE - 1)]
    found = plan("\n".join([*links, f'(ship.ensure :name "S{LARGE}" :as @s{LARGE - 1})']))
    assert found.depths == array("i", reversed(range(LARGE)))
    assert found.order == array("i", reversed(range(LARGE)))


def test_a_chain_of_updates_of_one_row_is_as_deep() -> None:
    found = plan('(ship.rename :ship "Aurora" :callsign "X")\n' * LARGE)
    assert found.depths == array("i", range(LARGE))


def test_100_000_independent_statements_are_one_phase_and_one_batch() -> None:
    found = plan("\n".join(f'(ship.ensure :name "S{n}")' for n in range(LARGE)))
    assert found.depths == array("i", bytes(4 * LARGE))
    assert list(found.batches) == [0, 0, LARGE, 0]


def test_a_circle_of_100_000_is_told_in_short() -> None:
    links = [f'(ship.ensure :name "S{n}" :sister @s{(n + 1) % LARGE} :as @s{n})' for n in range(LARGE)]
    errors = [error for error in analyse("\n".join(links), CATALOG, KNOWN).diagnostics if error.severity == "ERROR"]
    assert [error.code for error in errors] == ["CYCLIC_DEPENDENCY"]
    assert "... 99980 more ..." in errors[0].message
    assert len(errors[0].message) < 1_000


def test_of_100_000_errors_the_first_are_told_and_the_others_counted() -> None:
    analysis = analyse("\n".join(f"(ship.rename :ship @s{n})" for n in range(LARGE)), CATALOG, KNOWN)
    assert [diagnostic.statement_index for diagnostic in analysis.diagnostics] == list(range(10_001))
    assert analysis.diagnostics[-1].message == "90,000 more errors are not shown"
    assert analysis.plan is None


def test_many_warnings_are_no_error() -> None:
    analysis = analyse("\n".join(f'(ship.ensure :name "S{n}" :as @s{n})' for n in range(2_000)), CATALOG, KNOWN)
    assert (analysis.error_count, analysis.warning_count) == (0, 1_001)
    assert analysis.plan is not None
