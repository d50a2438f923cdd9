"""Where calls stand among others: between those who touch what they reach, and in one phase among themselves."""

from pathlib import Path

import pytest

from sheetgrpc.catalog.loading import load
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.model import Known

CATALOG = load((Path(__file__).parent / "calls.yaml").read_text("utf-8"), "calls.yaml")
E, EB, A, D = '(port.ensure :code "A")', '(port.ensure :code "B")', "(port.all)", '(port.drop :code "A")'
S, R, W, B, N = '(ship.ensure :name "S")', "(call.reads)", "(call.writes)", "(call.both)", "(call.none)"


@pytest.mark.parametrize(
    ("sheet", "depths"),
    [
        ([N, E, N, D], [0, 0, 0, 1]),  # who reaches nothing waits for nobody
        ([E, R, EB], [0, 1, 2]),
        ([E, W, EB], [0, 1, 2]),
        ([R, R, R], [0, 0, 0]),
        ([R, A, R], [0, 1, 2]),  # a select of everything stands between anything, as it does without calls
        ([W, W, W], [0, 0, 0]),  # of one shape: one after the other in one phase
        ([W, "(call.writes :n 1)", W], [0, 1, 2]),  # of another shape: a batch of its own
        ([W, R, W], [0, 1, 2]),
        ([W, E, W, EB, W], [0, 1, 2, 3, 4]),
        ([E, D, W, E], [0, 1, 2, 3]),
        ([S, B, S], [0, 1, 2]),
        ([B, W, B], [0, 1, 2]),
        (["(call.writes :as @s)", "(call.none :ship @s)", "(ship.drop :ship @s)"], [0, 1, 2]),
        (["(call.writes :as @s)", "(call.writes :ship @s)"], [0, 1]),
        ([S + "(call.none :ship @t)", '(ship.ensure :name "T" :as @t)'], [0, 1, 0]),
    ],
    ids=range(15),
)
def test_calls_have_their_places(sheet: list[str], depths: list[int]) -> None:
    plan = analyse("".join(sheet), CATALOG, Known(complete=True)).plan
    assert plan is not None
    assert list(plan.depths) == depths


def test_ten_thousand_calls_are_one_batch() -> None:
    plan = analyse(W * 10_000, CATALOG, Known(complete=True)).plan
    assert plan is not None
    assert (plan.phase_count, len(plan.batches)) == (1, 4)
    assert list(plan.groups[0].indexes) == list(range(10_000))


def test_what_a_call_cannot_bind_is_told() -> None:
    (found,) = analyse("(call.none :as @x)", CATALOG, Known(complete=True)).diagnostics[:1]
    assert found.code == "BINDS_NOTHING"
