"""Batches that each need the one before are tried as one where they make rows: the outcome is that of each alone."""

import random
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, cast

import pytest

from sheetgrpc.catalog.loading import load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.model import Effect, Ints, Known, Plan, Results, Status
from sheetgrpc.store import batches
from sheetgrpc.store.base import Store
from sheetgrpc.store.batches import Rows
from sheetgrpc.store.shapes import Shape

CATALOG = """
entities:
  node: {table: nodes, key: id, natural_key: [name]}
  leaf: {table: leaves, key: id, natural_key: [node, name]}
  thing: {table: things, key: id, natural_key: [within, name]}
verbs:
  thing.ensure:
    kind: ensure
    entity: thing
    arguments:
      name: {type: string, required: true}
      within: {type: entity, entity: thing, default: 22222222-0000-7000-8000-000000000000}
  node.ensure:
    kind: ensure
    entity: node
    arguments: &node
      name: {type: string, required: true}
      parent: {type: entity, entity: node}
      size: {type: integer}
      told: {type: json}
      near: {type: entity, entity: node}
  node.create: {kind: create, entity: node, arguments: *node}
  leaf.ensure:
    kind: ensure
    entity: leaf
    arguments:
      node: {type: entity, entity: node, required: true}
      name: {type: string, required: true}
      left-of: {type: entity, entity: leaf, column: left_of}
  node.all:
    kind: select
    entity: node
    by: []
    limit: 1000
    columns: [id, name, parent, size, told, near]
    arguments: {}
  thing.all: {kind: select, entity: thing, by: [], limit: 1000, columns: [id, within, name], arguments: {}}
  leaf.all: {kind: select, entity: leaf, by: [], limit: 1000, columns: [id, node, name, left_of], arguments: {}}
"""
SCHEMA = """
CREATE TABLE nodes (
    id varchar(36) PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, parent varchar(36) REFERENCES nodes (id),
    size integer CHECK (size < 100), told text, near varchar(36)
);
CREATE TABLE leaves (
    id varchar(36) PRIMARY KEY, node varchar(36) NOT NULL REFERENCES nodes (id), name varchar(20) NOT NULL,
    left_of varchar(36) REFERENCES leaves (id), UNIQUE (node, name)
);
CREATE TABLE things (id varchar(36) PRIMARY KEY, within varchar(36), name varchar(20) NOT NULL, UNIQUE (within, name));
"""
PARTS = """
entities:
  part: {table: parts, key: {column: no, type: integer, from: database}, natural_key: [code]}
verbs:
  part.ensure:
    kind: ensure
    entity: part
    arguments: {code: {type: string, required: true}, of: {type: entity, entity: part}}
"""
NEAR = [f'(node.ensure :name "n{at}" :size 1 {f":near @n{at - 1}" if at else ""} :as @n{at})' for at in range(6)]
CHAIN = [f'(node.ensure :name "n{at}" {f":parent @n{at - 1}" if at else ""} :as @n{at})' for at in range(6)]


@pytest.fixture
def catalog() -> Catalog:
    return load(CATALOG, "nodes.yaml")


@pytest.fixture
async def nodes(store: Store, catalog: Catalog) -> Store:
    await store.run_script(SCHEMA)
    await store.prepare(catalog)
    return store


def planned(catalog: Catalog, sheet: str) -> Plan:
    analysis = analyse(sheet, catalog, Known(complete=True))
    assert analysis.plan is not None, analysis.diagnostics
    return analysis.plan


def drawn(plan: Plan, mark: str) -> Results:
    results = Results.fresh(plan.count)
    results.images = {}
    results.keys = [f"{mark}-0000-7000-8000-{index:012}" for index in range(plan.count)]
    return results


async def written(
    nodes: Store, catalog: Catalog, there: str, sheet: str, *, alone: bool, collect: bool = False
) -> tuple[int, Results, list[object]]:
    """How many batches were done, what is known of each statement, and the rows; `there` goes first, nothing stays."""
    plan, reading = planned(catalog, sheet), planned(catalog, "(node.all) (leaf.all) (thing.all)")
    results, rows = drawn(plan, "11111111"), Results.fresh(3)
    done, last = 0, len(plan.batches) // 4
    async with nodes.begin() as transaction:
        if there:
            before = planned(catalog, there)
            await transaction.apply(before, 0, len(before.batches) // 4, drawn(before, "00000000"), collect=False)
        while done < last:
            some = await transaction.apply(plan, done, done + 1 if alone else last, results, collect=collect)
            done += some
            if results.roots and not collect:
                break
        if not results.roots or collect:
            await transaction.apply(reading, 0, len(reading.batches) // 4, rows, collect=False)
    results.micros, results.writes, results.running = type(results.micros)("i"), 0, -1  # how it went about it
    return done, results, [rows.rows.get(at) for at in range(3)]


async def both(nodes: Store, catalog: Catalog, there: str, sheet: str, *, collect: bool = False) -> Results:
    """Each batch by itself, and all that can be: the same."""
    alone = await written(nodes, catalog, there, sheet, alone=True, collect=collect)
    assert await written(nodes, catalog, there, sheet, alone=False, collect=collect) == alone
    return alone[1]


def effects(results: Results) -> Sequence[Effect]:
    return [Effect(effect) for effect in results.effect]


async def test_a_chain_of_new_rows(nodes: Store, catalog: Catalog) -> None:
    results = await both(nodes, catalog, "", "".join(CHAIN))
    assert effects(results) == [Effect.CREATED] * 6


@pytest.mark.parametrize("known", range(7))
async def test_it_is_written_as_one(nodes: Store, catalog: Catalog, known: int) -> None:
    plan = planned(catalog, "".join(CHAIN))
    results = drawn(plan, "11111111")
    async with nodes.begin() as transaction:
        if known:
            there = planned(catalog, "".join(CHAIN[:known]))
            await transaction.apply(there, 0, known, drawn(there, "00000000"), collect=False)
        assert await transaction.apply(plan, 0, 6, results, collect=False) == 6
    assert results.writes == 2  # the first has no parent and is of another shape
    assert effects(results) == [Effect.UNCHANGED] * known + [Effect.CREATED] * (6 - known)


async def test_a_chain_that_is_there(nodes: Store, catalog: Catalog) -> None:
    results = await both(nodes, catalog, "".join(CHAIN), "".join(CHAIN))
    assert effects(results) == [Effect.UNCHANGED] * 6


@pytest.mark.parametrize("known", range(1, 6))
async def test_a_chain_of_which_the_beginning_is_there(nodes: Store, catalog: Catalog, known: int) -> None:
    """What the others refer to has another key than was drawn for it."""
    results = await both(nodes, catalog, "".join(CHAIN[:known]), "".join(CHAIN))
    assert effects(results) == [Effect.UNCHANGED] * known + [Effect.CREATED] * (6 - known)


async def test_rows_that_are_there_come_to_hang_on_others(nodes: Store, catalog: Catalog) -> None:
    """On one that is new, which they are written before, and on ones of other keys than were drawn."""
    there = "".join(f'(node.ensure :name "n{at}")' for at in (0, 2, 3, 5))
    results = await both(nodes, catalog, there, "".join(CHAIN))
    created, updated = Effect.CREATED, Effect.UPDATED
    assert effects(results) == [Effect.UNCHANGED, created, updated, updated, created, updated]


async def test_rows_that_are_found_by_others_of_them(nodes: Store, catalog: Catalog) -> None:
    """A thing is known by what it is in, so each is found once the one before is."""
    chain = [f'(thing.ensure :name "t" {f":within @t{at - 1}" if at else ""} :as @t{at})' for at in range(4)]
    results = await both(nodes, catalog, "".join(chain[:3]), "".join(chain))
    assert effects(results)[1:] == [Effect.UNCHANGED] * 2 + [Effect.CREATED]


async def test_a_row_in_the_middle_is_there(nodes: Store, catalog: Catalog) -> None:
    results = await both(nodes, catalog, '(node.ensure :name "n3")', "".join(CHAIN))
    assert effects(results)[3:5] == [Effect.UPDATED, Effect.CREATED]


@pytest.mark.parametrize("same", [":parent @n4", ":parent @n3", ""])
async def test_two_statements_of_one_row(nodes: Store, catalog: Catalog, same: str) -> None:
    """Of which the later one changes the row, or not, or was written in another shape."""
    again = f'(node.ensure :name "n4" {same} :as @again) (node.ensure :name "last" :parent @again)'
    await both(nodes, catalog, "", "".join([*CHAIN, again]))


@pytest.mark.parametrize("collect", [False, True])
async def test_a_statement_of_a_chain_fails(nodes: Store, catalog: Catalog, *, collect: bool) -> None:
    bad = '(node.ensure :name "bad" :parent @n5 :size 100 :as @bad) (node.ensure :name "after" :parent @bad :size 1)'
    sized = [one.replace(":as", ":size 1 :as") for one in CHAIN]
    results = await both(nodes, catalog, "", "".join([*sized, bad]), collect=collect)
    assert Status(results.status[6]) is Status.FAILED
    assert results.status[:6] == bytes([Status.SUCCESS]) * 6


async def test_a_key_within_a_tree(nodes: Store, catalog: Catalog) -> None:
    told = "".join(f'(node.ensure :name "t{at}" :told {{:of @t{at - 1}}} :as @t{at})' for at in range(1, 4))
    await both(nodes, catalog, "", '(node.ensure :name "t0" :as @t0)' + told)


async def test_creates_of_one_name_fail_as_alone(nodes: Store, catalog: Catalog) -> None:
    twice = '(node.create :name "n2" :parent @n5 :as @m) (node.create :name "m2" :parent @m)'
    results = await both(nodes, catalog, "", "".join([*CHAIN, twice]).replace("ensure", "create"))
    assert Status(results.status[6]) is Status.FAILED


def scribble(draws: random.Random) -> str:
    """Nodes and leaves that hang on what came before, some of one name, some that the table refuses."""
    sheet, nodes, leaves = [], list[str](), list[str]()
    for at in range(draws.randrange(2, 30)):
        size = draws.choice(["", "", "", " :size 1", " :size 100" if draws.random() < 0.1 else ""])
        name = draws.choice(["a", "b", "c"]) if draws.random() < 0.15 else f"x{at}"
        if nodes and draws.random() < 0.25:
            left = f" :left-of @{leaves[-1]}" if leaves and draws.random() < 0.8 else ""
            sheet.append(f'(leaf.ensure :node @{draws.choice(nodes[-3:])} :name "{name}"{left} :as @l{at})')
            leaves.append(f"l{at}")
        else:
            parent = f" :parent @{draws.choice(nodes[-2:])}" if nodes and draws.random() < 0.9 else ""
            sheet.append(f'(node.ensure :name "{name}"{parent}{size} :as @n{at})')
            nodes.append(f"n{at}")
    return "\n".join(sheet)


@pytest.mark.parametrize("piece", [3, 4096])
async def test_a_piece_is_as_long_as_it_may_be(
    nodes: Store, catalog: Catalog, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PIECE", piece)
    plan = planned(catalog, "".join(CHAIN))
    assert batches.reach(catalog, plan, Results.fresh(6), 0, 6) == 1  # of another shape
    assert batches.reach(catalog, plan, Results.fresh(6), 1, 6) == min(1 + piece, 6)
    assert batches.reach(catalog, plan, Results.fresh(6), 1, 3) == 3
    await both(nodes, catalog, "", "".join(CHAIN))


class Counted(list[int]):
    """Counts how often somebody looks."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:  # a place or a slice
        self.looks += 1
        return super().__getitem__(at)


def test_what_cannot_be_written_together_is_not_looked_through_each_time() -> None:
    """A chain of rows of which the database makes the keys."""
    catalog = load(PARTS, "parts.yaml")
    sheet = "".join(f'(part.ensure :code "{at}" {f":of @p{at - 1}" if at else ""} :as @p{at})' for at in range(1000))
    plan = planned(catalog, sheet)
    counted = Counted(plan.batches)
    plan.batches = cast("Ints", counted)
    last, results = len(counted) // 4, Results.fresh(plan.count)
    assert [batches.reach(catalog, plan, results, at, last) for at in range(last)] == list(range(1, 1001))
    assert counted.looks < 5 * last


async def test_a_table_that_makes_rows_by_itself(nodes: Store, catalog: Catalog, backend: str) -> None:
    """What one statement's row brings with it, the next one finds."""
    if backend == "sqlite":
        await nodes.run_script(
            "CREATE TRIGGER sow AFTER INSERT ON nodes WHEN NEW.name = 'n2'"
            " BEGIN INSERT INTO nodes (id, name) VALUES ('sown', 'n4'); END;"
        )
    results = await both(nodes, catalog, "", "".join(CHAIN))
    if backend == "sqlite":
        assert effects(results)[3:] == [Effect.CREATED, Effect.UPDATED, Effect.CREATED]
        assert results.keys[4] == "sown"


@pytest.mark.parametrize(
    ("meddling", "effect", "key"),
    [
        ("UPDATE nodes SET size = 50 WHERE name = 'n3'", Effect.UPDATED, "00000000"),
        ("DELETE FROM nodes WHERE name = 'n3'", Effect.CREATED, "11111111"),
    ],
)
async def test_a_table_that_changes_rows_by_itself(
    nodes: Store, catalog: Catalog, backend: str, meddling: str, effect: Effect, key: str
) -> None:
    """What was there at the beginning may be another or none when its turn comes."""
    if backend == "sqlite":
        await nodes.run_script(
            f"CREATE TRIGGER meddle AFTER INSERT ON nodes WHEN NEW.name = 'n2' BEGIN {meddling}; END;"
        )
        results = await both(nodes, catalog, '(node.ensure :name "n3" :size 1)', "".join(NEAR))
        assert effects(results)[3] == effect
        assert str(results.keys[3]).startswith(key)


async def test_what_was_noted_before_a_failure_is_forgotten(nodes: Store, catalog: Catalog) -> None:
    sheet = "".join(NEAR).replace('"n2" :size 1', '"n2" :size 100')
    results = await both(nodes, catalog, '(node.ensure :name "n4" :size 1)', sheet)
    assert [Status(status).name for status in results.status] == ["SUCCESS"] * 2 + ["FAILED"] + ["RESOLVED"] * 3
    assert effects(results)[3:] == [Effect.NONE] * 3


@pytest.mark.parametrize(("names", "distinct"), [("ab", True), ("aba", False), ("", True)])
def test_rows_of_one_name_are_never_written_together(catalog: Catalog, names: str, *, distinct: bool) -> None:
    """Whatever the table's index says and when: a deferred one would not tell."""
    shape = Shape(catalog, catalog.verbs["node.ensure"], ("name",))
    rows = Rows(indexes=range(len(names)), columns=[list(names)], bound=None)
    with nullcontext() if distinct else pytest.raises(batches.Entangled):
        batches.require_distinct(shape, rows)


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_the_sheet_is(nodes: Store, catalog: Catalog, seed: int) -> None:
    draws = random.Random(seed)
    sheet = scribble(draws)
    there = '(node.ensure :name "a" :size 7)' if draws.random() < 0.5 else ""
    await both(nodes, catalog, there, sheet, collect=draws.random() < 0.5)
