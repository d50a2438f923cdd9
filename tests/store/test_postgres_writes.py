"""Batches on PostgreSQL: values by the column's type, its limits, and rows of a batch that are in each other's way."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.postgres import connected

from sheetgrpc.catalog.loading import load
from sheetgrpc.catalog.model import Catalog
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.model import Effect, Known, Plan, Results, Status
from sheetgrpc.store.base import Store
from sheetgrpc.store.batches import Rows
from sheetgrpc.store.postgres.transaction import PostgresTransaction

CATALOG = """
entities:
  box: {table: stock.boxes, key: {column: id, type: uuid, from: database}, natural_key: [code]}
verbs:
  box.ensure:
    kind: ensure
    entity: box
    arguments: &box
      code:   {type: string, required: true}
      name:   {type: string}
      price:  {type: decimal}
      count:  {type: integer}
      flag:   {type: boolean}
      bit:    {type: boolean}
      day:    {type: date}
      moment: {type: timestamp}
      owner:  {type: uuid}
      tags:   {type: list, of: string}
      sizes:  {type: list, of: decimal}
      doc:    {type: json}
      docs:   {type: json}
      colour: {type: string}
      short:  {type: string}
      small:  {type: integer}
  box.create: {kind: create, entity: box, arguments: *box}
  box.name:
    kind: update
    entity: box
    by: [code]
    arguments: {code: {type: string, required: true}, name: {type: string, required: true}}
  box.read:
    kind: select
    entity: box
    by: [code]
    columns: [code, name, price, count, flag, bit, day, moment, owner, tags, sizes, doc, docs, colour, small]
    arguments: {code: {type: string, required: true}}
  box.drop: {kind: delete, entity: box, by: [code], arguments: {code: {type: string, required: true}}}
"""
SCHEMA = """
CREATE SCHEMA stock;
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE DOMAIN small AS integer CHECK (VALUE < 10);
CREATE TABLE stock.boxes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code text NOT NULL UNIQUE, name varchar(80) UNIQUE,
    price numeric(8, 2), count smallint, flag boolean, bit integer, day date, moment timestamptz(3), owner uuid,
    tags text[], sizes numeric[], doc jsonb, docs json, colour colour, short varchar(3), small small,
    twice integer GENERATED ALWAYS AS (count * 2) STORED
);
"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
Run = Callable[..., Awaitable[Results]]


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def catalog() -> Catalog:
    return load(CATALOG, "boxes.yaml")


@pytest.fixture
async def run(store: Store, catalog: Catalog) -> Run:
    """Writes a sheet, and keeps it."""
    await store.run_script(SCHEMA)
    await store.prepare(catalog)

    async def write(sheet: str, *, collect: bool = False) -> Results:
        plan = plan_of(catalog, sheet)
        results = Results.fresh(plan.count)
        async with store.begin() as transaction:
            await transaction.apply(plan, 0, len(plan.batches) // 4, results, collect=collect)
            assert isinstance(transaction, PostgresTransaction)
            if collect or not results.roots:
                await transaction.execute(transaction._commit)
        return results

    return write


def plan_of(catalog: Catalog, sheet: str) -> Plan:
    analysis = analyse(sheet, catalog, Known(complete=True))
    assert analysis.plan is not None, analysis.diagnostics
    return analysis.plan


def effects(results: Results) -> list[str]:
    return [Effect(effect).name for effect in results.effect]


VALUES = {
    "numeric": (":price 12.5", "price", 12.5),
    "numeric rounded as the column rounds": (":price 1.005", "price", 1.01),
    "smallint": (":count 7", "count", 7),
    "boolean": (":flag false", "flag", False),
    "boolean in an integer column": (":bit true", "bit", 1),
    "date": (':day "2024-02-29"', "day", "2024-02-29"),
    "timestamp": (':moment "2024-02-29T12:00:00.123456+02:00"', "moment", "2024-02-29T10:00:00.123+00:00"),
    "uuid": (':owner "AAAAAAAA-1111-4111-8111-111111111111"', "owner", "aaaaaaaa-1111-4111-8111-111111111111"),
    "text[]": (r':tags ["a" "b,\"c\"" "{}" "NULL"]', "tags", ["a", 'b,"c"', "{}", "NULL"]),
    "no items": (":tags []", "tags", []),
    "numeric[]": (":sizes [1.5 2]", "sizes", [1.5, 2]),
    "jsonb": (':doc {:b 1, :a [true nil "x"]}', "doc", {"a": [True, None, "x"], "b": 1}),
    "json": (":docs {:b 1, :a 2}", "docs", {"b": 1, "a": 2}),
    "enum": (':colour "red"', "colour", "red"),
    "domain": (":small 9", "small", 9),
    "nil": (":price nil :tags nil :doc nil", "tags", None),
    "an exact number that no double is": (":sizes [12345678901234567.89]", "sizes", ["12345678901234567.89"]),
}  # fmt: skip


@pytest.mark.parametrize(("given", "column", "stored"), VALUES.values(), ids=VALUES)
async def test_a_value_is_stored_by_its_columns_type_and_then_unchanged(
    run: Run, given: str, column: str, stored: object
) -> None:
    sheet = f'(box.ensure :code "a" {given}) (box.ensure :code "b" {given})'
    assert effects(await run(sheet)) == ["CREATED", "CREATED"]
    assert effects(await run(sheet)) == ["UNCHANGED", "UNCHANGED"]
    read = await run('(box.read :code "a")')
    assert read.rows[0][0][column] == stored
    assert read.rows[0][0]["code"] == "a"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (':short "long"', "INVALID_ARGUMENT"),
        (":count 40000", "INVALID_ARGUMENT"),
        (":price 12345678.5", "INVALID_ARGUMENT"),
        (':colour "green"', "INVALID_ARGUMENT"),
        (r':name "\u0000"', "INVALID_ARGUMENT"),
        (r':doc {:a "\u0000"}', "INVALID_ARGUMENT"),
        (":tags nil :small 10", "DB_CONSTRAINT"),
    ],
)
@pytest.mark.parametrize("collect", [True, False])
async def test_a_value_that_the_column_does_not_take_fails_its_statement_alone(
    run: Run, given: str, code: str, collect: bool
) -> None:
    sheet = f'(box.ensure :code "a") (box.ensure :code "c") (box.create :code "b" {given}) (box.ensure :code "d")'
    results = await run(sheet, collect=collect)
    assert {index: error.code.value for index, error in results.errors.items()} == {2: code}
    if collect:
        assert [status == Status.SUCCESS for status in results.status] == [True, True, False, True]


async def test_a_row_too_large_for_an_index_fails_its_statement(run: Run) -> None:
    text = "".join(chr(0x4E00 + at * 7919 % 20000) for at in range(9000))
    results = await run(f'(box.ensure :code "{text}")', collect=True)
    assert results.errors[0].code.value == "INVALID_ARGUMENT"


async def test_what_the_servers_user_may_not_do_is_denied(run: Run, store: Store, catalog: Catalog) -> None:
    await store.run_script("CREATE ROLE limited; GRANT USAGE ON SCHEMA stock TO limited;")
    try:
        results = Results.fresh(1)
        async with store.begin() as transaction:
            assert isinstance(transaction, PostgresTransaction)
            await transaction.execute(lambda connection: connection.execute("SET LOCAL ROLE limited"))
            await transaction.apply(plan_of(catalog, '(box.create :code "a")'), 0, 1, results, collect=True)
        assert results.errors[0].code.value == "PERMISSION_DENIED"
    finally:
        await store.run_script("DROP OWNED BY limited; DROP ROLE limited;")


async def test_rows_that_take_each_others_unique_values_are_done_in_order(run: Run) -> None:
    """Whichever row the database would come to first: b's name is free once b is renamed, and not before."""
    await run('(box.ensure :code "a" :name "A") (box.ensure :code "b" :name "B")')
    forward = await run('(box.name :code "a" :name "B") (box.name :code "b" :name "C")')
    assert (forward.errors[0].detail, 1 in forward.errors) == ("unique: boxes_name_key", False)
    backward = await run('(box.name :code "b" :name "C") (box.name :code "a" :name "B")')
    assert effects(backward) == ["UPDATED", "UPDATED"]
    found = await run('(box.read :code "a") (box.read :code "b")')
    assert [found.rows[at][0]["name"] for at in (0, 1)] == ["B", "C"]


@pytest.mark.parametrize("others", [0, 3])
@pytest.mark.parametrize(("name", "effect"), [("N", "UPDATED"), ("M", "UNCHANGED")])
async def test_a_row_that_comes_from_elsewhere_meanwhile_is_there(
    run: Run, url: str, others: int, name: str, effect: str
) -> None:
    """ensure is create or update, whoever is first: a sheet of one statement as well as one of many."""
    more = "".join(f'(box.ensure :code "more {number}" :name "{number}")' for number in range(others))
    async with connected(url) as elsewhere, connected(url) as watching:
        await elsewhere.execute("BEGIN; INSERT INTO stock.boxes (code, name) VALUES ('a', 'M')")
        running = asyncio.create_task(run(f'(box.ensure :code "a" :name "{name}") {more}'))
        async with asyncio.timeout(20):
            while not await watching.fetchval(WAITING):
                pass
        await elsewhere.execute("COMMIT")
    assert effects(await running) == [effect, *["CREATED"] * others]


async def test_an_ensure_whose_other_values_are_anothers_fails(run: Run) -> None:
    await run('(box.ensure :code "a" :name "N")')
    results = await run('(box.ensure :code "b" :name "N")')
    assert results.errors[0].detail == "unique: boxes_name_key"


async def test_database_made_keys_go_to_their_statements(run: Run) -> None:
    made = await run("".join(f'(box.create :code "{at}")' for at in range(3000)))
    found = await run("".join(f'(box.ensure :code "{at}")' for at in range(3000)))
    assert made.keys == found.keys
    assert len(set(made.keys)) == 3000


async def test_failures_are_found_by_halves(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five bad rows of 4,000 cost tens of statements, not thousands."""
    from sheetgrpc.store.postgres import writes

    sizes: list[int] = []
    real = writes.run_rows

    async def counted(connection: object, shape: object, rows: Rows, results: Results, again: None) -> None:
        sizes.append(len(rows.indexes))
        await real(connection, shape, rows, results, again)  # type: ignore[arg-type]  # what came in

    monkeypatch.setattr(writes, "run_rows", counted)
    bad = {0, 7, 2000, 2001, 3999}
    sheet = "".join(f'(box.create :code "{at}" :small {10 if at in bad else 1})' for at in range(4000))
    results = await run(sheet, collect=True)
    assert set(results.errors) == bad
    assert list(results.status).count(Status.SUCCESS) == 3995
    assert len(sizes) < 120
