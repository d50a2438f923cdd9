"""How a batch is cut: rounds of distinct rows, folds of equal ones; and when writing stops."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sheetgrpc.catalog.loading import load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.model import Cell, Known, Plan, Results, Status
from sheetgrpc.store.base import Interrupted, Store
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.sqlite.statements import Shape
from sheetgrpc.store.batches import Rows, fold

CATALOG = """
entities:
  part: {table: parts, key: {column: no, type: integer, from: database}, natural_key: [code]}
verbs:
  part.ensure: {kind: ensure, entity: part, arguments: {code: {type: string, required: true}, size: {type: integer}}}
  part.size:
    kind: update
    entity: part
    by: [code]
    arguments: {code: {type: string, required: true}, size: {type: integer, required: true}}
  part.create: {kind: create, entity: part, arguments: {code: {type: string, required: true}, size: {type: integer}}}
"""
SCHEMA = "CREATE TABLE parts (no INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, size INTEGER CHECK (size < 100));\n"


@pytest.fixture(name="catalog")
def _catalog() -> Catalog:
    return load(CATALOG, "parts.yaml")


@pytest.fixture(name="parts")
async def _parts(catalog: Catalog, tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite:///{tmp_path}/parts.db", writer_timeout=1, busy_timeout=1)
    await store.run_script(SCHEMA)
    await store.prepare(catalog)
    yield store
    await store.close()


def _plan(catalog: Catalog, sheet: str) -> Plan:
    analysis = analyse(sheet, catalog, Known(complete=True))
    assert analysis.plan is not None, analysis.diagnostics
    return analysis.plan


Pairs = list[tuple[Cell, Cell]]


@pytest.mark.parametrize(
    ("verb", "pairs", "rounds", "folds"),
    [
        ("part.ensure", [], [[]], {}),
        ("part.ensure", [("a", 1), ("b", 1)], [[0, 1]], {}),
        ("part.ensure", [("a", 1), ("a", 1), ("a", 1)], [[0]], {1: 0, 2: 0}),
        ("part.ensure", [("a", 1), ("a", 2), ("b", 1), ("a", 3)], [[0, 2], [1], [3]], {}),
        ("part.ensure", [("a", 1), ("a", 2), ("a", 1)], [[0], [1], [2]], {}),
        ("part.ensure", [("a", 1), ("a", 1), ("a", 2), ("a", 2)], [[0], [2]], {1: 0, 3: 2}),
        ("part.ensure", [("a", None), ("a", None)], [[0]], {1: 0}),
        ("part.size", [("a", 1), ("a", 1), ("b", 1)], [[0, 2], [1]], {}),
    ],
)
def test_rows_of_one_natural_key_take_turns_and_equal_neighbours_fold(
    catalog: Catalog, verb: str, pairs: Pairs, rounds: list[list[int]], folds: dict[int, int]
) -> None:
    shape = Shape(catalog, catalog.verbs[verb], ("code", "size"))
    columns = [[code for code, _ in pairs], [size for _, size in pairs]]
    assert fold(shape, Rows(indexes=range(len(pairs)), columns=columns, bound=None)) == (rounds, folds)


def test_many_turns_of_one_row_take_linear_time(catalog: Catalog) -> None:
    """Each row is looked at once: 50,000 rounds, where a pass a round would be a thousand million steps."""
    shape = Shape(catalog, catalog.verbs["part.ensure"], ("code", "size"))
    rows = Rows(indexes=range(50_000), columns=[["a"] * 50_000, list(range(50_000))], bound=None)
    rounds, folds = fold(shape, rows)
    assert (len(rounds), folds) == (50_000, {})


@pytest.mark.parametrize(
    ("collect", "done", "statuses"),
    [
        (False, 2, ["SUCCESS"] * 4 + ["FAILED"] + ["RESOLVED"] * 4),
        (True, 4, ["SUCCESS"] * 4 + ["FAILED"] + ["SUCCESS"] * 3 + ["FAILED"]),
    ],
)
async def test_apply_stops_after_the_first_failing_batch_unless_it_collects(
    parts: Store, catalog: Catalog, *, collect: bool, done: int, statuses: list[str]
) -> None:
    """Four batches of one phase, of which the second and the last fail."""
    plan = _plan(
        catalog,
        '(part.ensure :code "a") (part.ensure :code "b") (part.ensure :code "c")'
        ' (part.create :code "d" :size 1) (part.create :code "e" :size 100) (part.create :code "f" :size 3)'
        ' (part.create :code "g") (part.ensure :code "h" :size 1) (part.ensure :code "i" :size 101)',
    )
    results = Results.fresh(plan.count)
    async with parts.begin() as transaction:
        assert await transaction.apply(plan, 0, len(plan.batches) // 4, results, collect=collect) == done
    assert [Status(status).name for status in results.status] == statuses


async def test_statements_after_the_failing_one_of_a_batch_are_as_if_never_tried(
    parts: Store, catalog: Catalog
) -> None:
    """Though the batch had been written in one go before it was taken back."""
    sheet = '(part.size :code "a" :size 1) (part.size :code "none" :size 1) (part.size :code "b" :size 1)'
    plan = _plan(catalog, sheet)
    before = _plan(catalog, '(part.ensure :code "a") (part.ensure :code "b")')
    async with parts.begin() as transaction:
        await transaction.apply(before, 0, 1, Results.fresh(2), collect=False)
        results = Results.fresh(plan.count)
        await transaction.apply(plan, 0, 1, results, collect=False)
    assert [Status(status) for status in results.status] == [Status.SUCCESS, Status.FAILED, Status.RESOLVED]
    assert list(results.effect[1:]) == [0, 0]


async def test_writing_stops_when_it_is_told_to(parts: Store, catalog: Catalog) -> None:
    plan = _plan(catalog, '(part.ensure :code "a") (part.ensure :code "b")')
    results = Results.fresh(plan.count)
    results.stop = True
    async with parts.begin() as transaction:
        with pytest.raises(Interrupted):
            await transaction.apply(plan, 0, 1, results, collect=False)
