"""What each kind of verb does to foreign tables, and what its statement reads afterwards."""

import re

import pytest
from tests.engine.driving import COLLECT, Driver

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

# name of the rule: (what is there before, the sheet, effects, a query, its rows)
EFFECTS = {
    "create inserts with the defaults of arguments that are not given": (
        "",
        '(ship.create :name "A")',
        ["CREATED"],
        "SELECT name, tonnage, active, flag_code FROM ships",
        [("A", 1, 1, None)],
    ),
    "nil is stored as null and beats the default": (
        "",
        '(ship.create :name "A" :tonnage nil :active nil)',
        ["CREATED"],
        "SELECT tonnage, active FROM ships",
        [(None, None)],
    ),
    "every type is stored in its canonical form": (
        "",
        (
            '(ship.create :name "A" :draft 12.50 :built "2020-02-29" :tags ["a" "b"] :meta {:x 1.0, :y [true nil]}'
            ' :active false :note "not stored")'
        ),
        ["CREATED"],
        "SELECT draft, built, tags, meta, active FROM ships",
        [(12.5, "2020-02-29", '["a", "b"]', '{"x": 1.0, "y": [true, null]}', 0)],
    ),
    "ensure inserts what is not there": (
        "",
        '(port.ensure :code "A" :depth 3)',
        ["CREATED"],
        "SELECT code, name, depth FROM ports",
        [("A", "no name", 3)],
    ),
    "ensure leaves what is as given, and defaults never overwrite": (
        '(port.ensure :code "A" :name "Aden" :depth 3)',
        '(port.ensure :code "A" :depth 3.00)',
        ["UNCHANGED"],
        "SELECT code, name, depth FROM ports",
        [("A", "Aden", 3)],
    ),
    "ensure updates the given columns that differ, and no others": (
        '(port.ensure :code "A" :name "Aden" :depth 3)',
        '(port.ensure :code "A" :depth 4)',
        ["UPDATED"],
        "SELECT code, name, depth FROM ports",
        [("A", "Aden", 4)],
    ),
    "ensure with nil sets null, and finds null to be null": (
        '(port.ensure :code "A" :depth 3)',
        '(port.ensure :code "A" :depth nil) (port.ensure :code "a" :depth nil)',
        ["UPDATED", "UNCHANGED"],
        "SELECT code, depth FROM ports",
        [("A", None)],
    ),
    "whether a value differs is the database's word": (
        '(ship.ensure :name "A" :draft 1.5 :tags ["x"] :active true :tonnage 7)',
        '(ship.ensure :name "A" :draft 1.500 :tags ["x"] :active true :tonnage 7)',
        ["UNCHANGED"],
        "SELECT count(*) FROM ships",
        [1],
    ),
    "a string key comes from its argument": (
        "",
        '(flag.ensure :code "LU" :country "Luxembourg" :as @f) (ship.create :name "A" :flag @f)',
        ["CREATED", "CREATED"],
        "SELECT flag_code FROM ships",
        ["LU"],
    ),
    "update changes the selected row": (
        '(port.ensure :code "A")',
        '(port.rename :port 1 :name "Aden") (port.rename :port 1 :name "Aden")',
        ["UPDATED", "UNCHANGED"],
        "SELECT name FROM ports",
        ["Aden"],
    ),
    "an update may set the column it selects by": (
        '(port.ensure :code "A")',
        '(port.recode :from "A" :to "B")',
        ["UPDATED"],
        "SELECT code FROM ports",
        ["B"],
    ),
    "several renames in one batch are done as one after another": (
        '(port.ensure :code "A")',
        '(port.recode :from "A" :to "B") (port.recode :from "B" :to "C") (port.recode :from "C" :to "D")',
        ["UPDATED", "UPDATED", "UPDATED"],
        "SELECT code FROM ports",
        ["D"],
    ),
    "missing: ok makes nothing found UNCHANGED": (
        '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1 :as @v) (port.ensure :code "P" :as @p)',
        '(port.touch :code "A" :name "x") (call.drop :voyage @v :port @p)',
        ["UNCHANGED", "UNCHANGED"],
        "SELECT code, name FROM ports",
        [("P", "no name")],
    ),
    "delete deletes": (
        '(port.ensure :code "A") (port.ensure :code "B")',
        '(port.close :code "A")',
        ["DELETED"],
        "SELECT code FROM ports",
        ["B"],
    ),
    "link is ensure for rows without a key": (
        '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1 :as @v) (port.ensure :code "P" :as @p)',
        (
            "(call.set :voyage @v :port @p) (call.set :voyage @v :port @p) (call.set :voyage @v :port @p :berth 'b')"
            " (call.drop :voyage @v :port @p) (call.drop :voyage @v :port @p)"
        ).replace("'", '"'),
        ["CREATED", "UNCHANGED", "UPDATED", "DELETED", "UNCHANGED"],
        "SELECT count(*) FROM calls",
        [0],
    ),
    "select reads": (
        '(port.ensure :code "A")',
        '(port.find :code "A") (port.find :code "Z")',
        ["READ"] * 2,
        "SELECT 1",
        [1],
    ),
    "assert asserts, in its three forms": (
        '(port.ensure :code "A" :depth 12.5) (port.ensure :code "B")',
        '(port.count-is-two) (port.is-there :code "A") (port.is-not-there :code "C") (port.is-deep :code "A")',
        ["ASSERTED"] * 4,
        "SELECT 1",
        [1],
    ),
    "equal ensures fold: the first creates": (
        "",
        '(port.ensure :code "A" :name "x") (port.ensure :code "A" :name "x") (port.ensure :code "A" :name "x")',
        ["CREATED", "UNCHANGED", "UNCHANGED"],
        "SELECT name FROM ports",
        ["x"],
    ),
    "the same natural key with other values goes one depth later, in the sheet's order": (
        "",
        '(port.ensure :code "A" :name "x") (port.ensure :code "A" :name "y") (port.ensure :code "A" :name "x")',
        ["CREATED", "UPDATED", "UPDATED"],
        "SELECT name FROM ports",
        ["x"],
    ),
    "rows that a collation holds equal are one row, in the sheet's order": (
        "",
        '(port.ensure :code "A" :name "x") (port.ensure :code "a" :name "y") (port.ensure :code "A" :name "x")',
        ["CREATED", "UPDATED", "UPDATED"],
        "SELECT code, name FROM ports",
        [("A", "x")],
    ),
    "that holds for rows that were there before": (
        '(port.ensure :code "A" :name "w")',
        (
            '(port.ensure :code "A" :name "x") (port.ensure :code "a" :name "y")'
            ' (port.ensure :code "b") (port.ensure :code "B")'
        ),
        ["UPDATED", "UPDATED", "CREATED", "UNCHANGED"],
        "SELECT code, name FROM ports",
        [("A", "y"), ("b", "no name")],
    ),
    "updates of one row under two names go one after the other": (
        '(port.ensure :code "A" :name "w")',
        '(port.touch :code "A" :name "x") (port.touch :code "a" :name "w") (port.touch :code "b" :name "v")',
        ["UPDATED", "UPDATED", "UNCHANGED"],
        "SELECT name FROM ports",
        ["w"],
    ),
}


@pytest.mark.parametrize(("before", "sheet", "effects", "query", "rows"), EFFECTS.values(), ids=EFFECTS)
async def test_a_statement_does_what_its_kind_says(
    fleet: Driver, before: str, sheet: str, effects: list[str], query: str, rows: list[object]
) -> None:
    session = await fleet.open()
    if before:
        assert (await fleet.run(before, session=session)).state == "SUCCEEDED"
    ran = await fleet.run(sheet, session=session)
    assert (ran.state, ran.effects, ran.errors) == ("SUCCEEDED", effects, {})
    assert fleet.rows(query) == rows


@pytest.mark.parametrize(
    ("sheet", "codes"),
    [
        ('(port.close :code "Z")', {0: "ENTITY_NOT_FOUND"}),
        ('(port.recode :from "Z" :to "Y")', {0: "ENTITY_NOT_FOUND"}),
        ('(port.find :code "Z" :as @z)', {0: "ENTITY_NOT_FOUND"}),
        ('(port.named :name "same" :as @z)', {0: "AMBIGUOUS_ENTITY"}),
        ('(port.count-is-two) (port.ensure :code "C")', {}),
        ('(port.ensure :code "C") (port.count-is-two)', {1: "ASSERTION_FAILED"}),
        ('(port.is-there :code "Z")', {0: "ASSERTION_FAILED"}),
        ('(port.is-not-there :code "A")', {0: "ASSERTION_FAILED"}),
        ('(port.is-deep :code "A")', {0: "ASSERTION_FAILED"}),
        ('(port.is-deep :code "Z")', {0: "ASSERTION_FAILED"}),
    ],
)
async def test_a_statement_fails_as_its_kind_says(fleet: Driver, sheet: str, codes: dict[int, str]) -> None:
    await fleet.run('(port.ensure :code "A" :name "same" :depth 12.4) (port.ensure :code "B" :name "same")')
    assert {index: code for index, code in (await fleet.run(sheet)).errors.items() if code != "BLOCKED"} == codes


async def test_keys_are_as_the_catalog_says(fleet: Driver) -> None:
    """UUIDv7 by the server, integers by the database, strings by the argument; found rows keep theirs."""
    sheet = '(ship.ensure :name "S") (port.ensure :code "P") (flag.ensure :code "LU") (sailor.hire :email "a@b.c")'
    first = await fleet.run(sheet)
    assert UUID7.fullmatch(first.keys[0])
    assert first.keys[1:] == [1, "LU", 1]
    again = await fleet.run('(ship.ensure :name "S") (port.ensure :code "p") (flag.ensure :code "LU")')
    assert again.keys == first.keys[:3]
    assert fleet.rows("SELECT ship_id FROM ships") == first.keys[:1]


async def test_a_select_reads_at_most_its_limit_in_key_order(fleet: Driver) -> None:
    await fleet.run('(port.ensure :code "C") (port.ensure :code "B") (port.ensure :code "A")')
    (result,) = (await fleet.run("(port.list)")).results
    assert result.rows == [{"code": "C"}, {"code": "B"}]


async def test_a_select_that_binds_gives_the_key_to_others(fleet: Driver) -> None:
    await fleet.run('(ship.ensure :name "S") (port.ensure :code "P" :name "Old")')
    ran = await fleet.run('(port.find :code "p" :as @p) (port.rename :port @p :name "New")')
    assert (ran.effects, ran.keys[0], ran.results[0].rows) == (["READ", "UPDATED"], 1, [{"name": "Old", "depth": None}])
    assert fleet.rows("SELECT name FROM ports") == ["New"]


async def test_an_ensure_binds_the_row_that_it_found(fleet: Driver) -> None:
    first = await fleet.run('(ship.ensure :name "S")')
    ran = await fleet.run('(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)')
    assert ran.effects == ["UNCHANGED", "CREATED"]
    assert fleet.rows("SELECT ship_id FROM voyages") == first.keys


async def test_folded_statements_have_the_first_ones_key(fleet: Driver) -> None:
    ran = await fleet.run(
        '(ship.ensure :name "S" :as @a) (ship.ensure :name "S" :as @b)'
        " (voyage.ensure :ship @a :number 1) (voyage.ensure :ship @b :number 2)"
    )
    assert ran.effects == ["CREATED", "UNCHANGED", "CREATED", "CREATED"]
    assert ran.keys[0] == ran.keys[1]
    assert fleet.rows("SELECT DISTINCT ship_id FROM voyages") == [ran.keys[0]]


async def test_folded_statements_fail_with_the_first_ones_error(fleet: Driver) -> None:
    """All of them, each as itself."""
    ran = await fleet.run('(ship.ensure :name "S" :tonnage 0) (ship.ensure :name "S" :tonnage 0)', COLLECT)
    assert ran.errors == {0: "DB_CONSTRAINT", 1: "DB_CONSTRAINT"}
    assert ran.results[0].error == ran.results[1].error


async def test_rows_equal_only_through_symbols_are_one_row(fleet: Driver) -> None:
    """Two symbols of one ship: known to be equal in the run alone, so written after each other in the same phase."""
    await fleet.run('(ship.ensure :name "S") (port.ensure :code "P")')
    ran = await fleet.run(
        '(port.find :code "P" :as @p) (port.find :code "p" :as @q) (ship.ensure :name "S" :as @s)'
        " (voyage.ensure :ship @s :number 1 :as @v)"
        ' (call.set :voyage @v :port @p :berth "1") (call.set :voyage @v :port @q :berth "2")'
        ' (call.set :voyage @v :port @p :berth "1")'
    )
    assert (ran.state, ran.effects[4:]) == ("SUCCEEDED", ["CREATED", "UPDATED", "UPDATED"])
    assert fleet.rows("SELECT berth FROM calls") == ["1"]


async def test_a_symbol_stands_for_its_key_in_lists_and_json(fleet: Driver) -> None:
    """Integers as numbers, uuids as strings, in the order they were written."""
    ran = await fleet.run(
        '(ship.ensure :name "S" :as @s) (port.ensure :code "P" :as @p) (port.ensure :code "Q" :as @q)'
        ' (voyage.ensure :ship @s :number 1 :route [@q @p @q] :meta {:ship @s :ports [@p {:last @q}] :mail "a@p.q"})'
    )
    ship = ran.keys[0]
    assert fleet.rows("SELECT route, meta FROM voyages") == [
        ("[2, 1, 2]", f'{{"ship": "{ship}", "ports": [1, {{"last": 2}}], "mail": "a@p.q"}}')
    ]


async def test_symbols_live_on_in_the_session_and_its_own_hide_them(fleet: Driver) -> None:
    first = await fleet.run('(ship.ensure :name "S" :as @s) (ship.ensure :name "T" :as @t)')
    ran = await fleet.run("(voyage.ensure :ship @s :number 1 :meta [@t])", session=first.session)
    assert ran.state == "SUCCEEDED"
    assert fleet.rows("SELECT ship_id, meta FROM voyages") == [(first.keys[0], f'["{first.keys[1]}"]')]
    later = await fleet.run('(ship.ensure :name "U" :as @s) (voyage.ensure :ship @s :number 2)', session=first.session)
    symbols = await fleet.engine.list_symbols(first.session, "", 10)
    assert [(symbol.name, symbol.entity_id) for symbol in symbols] == [("s", later.keys[0]), ("t", first.keys[1])]
    row = (await fleet.engine.get_session(first.session)).row
    assert (row.symbol_count, list(row.symbols)) == (2, symbols)


async def test_a_symbol_of_a_run_that_was_rolled_back_is_not_known(fleet: Driver) -> None:
    ran = await fleet.run('(ship.ensure :name "S" :as @s) (ship.create :name "S")')
    assert ran.state == "ROLLED_BACK"
    outcome = await fleet.parse(ran.session, "(voyage.ensure :ship @s :number 1)")
    assert outcome.sheet is not None
    assert [view.diagnostic.code.value for view in outcome.sheet.diagnostics] == ["UNDEFINED_SYMBOL"]


async def test_a_nested_statement_gives_its_parent_the_key(fleet: Driver) -> None:
    ran = await fleet.run('(voyage.ensure :ship (ship.ensure :name "S") :number 1 :port (port.ensure :code "P"))')
    assert ran.effects == ["CREATED"] * 3
    assert fleet.rows("SELECT ship_id, port_no FROM voyages") == [(ran.keys[0], 1)]
    assert await fleet.engine.list_symbols(ran.session, "", 10) == []


async def test_tables_are_counted(fleet: Driver) -> None:
    await fleet.run('(port.ensure :code "A") (port.ensure :code "B")')
    ran = await fleet.run(
        '(port.ensure :code "C") (port.ensure :code "A") (port.ensure :code "B" :name "b") (port.close :code "A")'
        ' (flag.ensure :code "LU") (port.list)'
    )
    assert [(t.table, t.created, t.updated, t.unchanged, t.deleted) for t in ran.execution.tables] == [
        ("flags", 1, 0, 0, 0),
        ("ports", 1, 1, 1, 1),
    ]


async def test_large_batches_do_the_same_as_small_ones(fleet: Driver) -> None:
    """Beyond every chunk and piece: 9,000 rows, of which a third is new, a third as it was, a third changed."""
    await fleet.run("".join(f'(ship.ensure :name "{at}" :tonnage 1)' for at in range(6000)))
    ran = await fleet.run("".join(f'(ship.ensure :name "{at}" :tonnage {1 + (at >= 3000)})' for at in range(9000)))
    assert ran.effects == ["UNCHANGED"] * 3000 + ["UPDATED"] * 3000 + ["CREATED"] * 3000
    assert fleet.rows("SELECT tonnage, count(*) FROM ships GROUP BY tonnage ORDER BY tonnage") == [(1, 3000), (2, 6000)]
    assert len(set(ran.keys)) == 9000
