"""Look-ups in the user's tables, hostile names and texts included, through the Store contract."""

from collections.abc import Callable
from typing import Any

import pytest

from sheetgrpc.catalog.model import Entity, Key, KeySource, KeyType
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Candidate

HOSTILE = "o'dd \"na]me; DROP--"
CBU = Entity("cbu", "cbus", Key("cbu_id"), display="name", search=("name", "code"))
PART = Entity("part", HOSTILE, Key(HOSTILE, KeyType.INTEGER, KeySource.DATABASE), search=("label",))
SIZED = Entity("sized", "cbus", Key("cbu_id"), search=("size",))
BARE = Entity("bare", "cbus", Key("cbu_id"))
QUOTED = '"' + HOSTILE.replace('"', '""') + '"'
# Where the server has no ICU the label's column compares as any other: what is asked here holds there too.
_CASELESS = """
DO $$
BEGIN
    CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXCEPTION WHEN OTHERS THEN
    CREATE COLLATION caseless (provider = libc, locale = 'C');
END;
$$;
"""
SCHEMA = f"""
CREATE TABLE cbus (cbu_id text PRIMARY KEY, name text, code text UNIQUE, size integer, rate numeric);
CREATE TABLE {QUOTED} ({QUOTED} integer PRIMARY KEY, label COLLATE NOCASE);
CREATE UNIQUE INDEX parts_label ON {QUOTED} (label);
INSERT INTO cbus VALUES ('k1', 'Allianz Global Investors', 'AGI', 5, '1.5'), ('k2', 'Allianz SE', 'ASE', 5, '2.5');
INSERT INTO cbus VALUES ('k3', 'Zürich Ä', 'Allianz SE', 7, NULL), ('5', NULL, NULL, NULL, NULL);
INSERT INTO cbus VALUES ('k' || char(0) || 'x', 'n' || char(0) || 'x', 'n', 1, 1), ('k', 'D''Arcy "x"', 'AGI2', 1, 1);
INSERT INTO {QUOTED} VALUES (1, 'bolt'), (2, '7'), (5, '100% _wild');
"""
Told = Callable[[Any], Any]


@pytest.fixture(autouse=True)
async def tables(store: Store, backend: str) -> None:
    script = SCHEMA
    if backend == "postgres":
        script = script.replace("char(0)", "chr(1)").replace("label COLLATE NOCASE", "label text COLLATE caseless")
        script = _CASELESS + script
    await store.run_script(script)


@pytest.fixture
def told(backend: str) -> Told:
    """What is written here with a NUL, as this database can have it: PostgreSQL's texts hold none."""

    def tell(value: Any) -> Any:
        if backend != "postgres":
            return value
        if isinstance(value, str):
            return value.replace("\0", "\x01")
        if isinstance(value, dict):
            return {tell(key): tell(item) for key, item in value.items()}
        return type(value)(map(tell, value)) if isinstance(value, (list, set)) else value

    return tell


async def test_existing_keys_are_told_from_look_alikes(store: Store, told: Told) -> None:
    asked: list[str | int] = ["k1", "K1", "k", "k\0x", "k\0", "5", 5, "\ud800", "", "'", "k1 "]
    assert await store.existing(CBU, told(asked)) == told({"k1", "k", "k\0x", "5"})
    assert await store.existing(PART, [1, "1", 5, 9, 2**63, -(2**70)]) == {1, 5}
    assert await store.existing(CBU, []) == set()


async def test_many_keys_are_looked_up_at_once(store: Store) -> None:
    await store.run_script(
        "INSERT INTO cbus (cbu_id) WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 24999)"
        " SELECT 'n' || i FROM n;"
    )
    keys = [f"n{at}" for at in range(25_010)]
    assert await store.existing(CBU, keys) == set(keys[:25_000])
    assert len(await store.displays(CBU, keys)) == 25_000
    assert len(await store.keys(CBU, {}, 26_000)) == 25_006


@pytest.mark.parametrize(
    ("equals", "keys"),
    [
        ({}, ["5", "k", "k\0x", "k1", "k2", "k3"]),
        ({"size": "5"}, ["k1", "k2"]),
        ({"size": "5", "name": "Allianz SE"}, ["k2"]),
        ({"rate": "1.50"}, ["k1"]),
        ({"size": "5 OR 1=1"}, []),
        ({"name": "n\0x"}, ["k\0x"]),
        ({"name": "n"}, []),
        ({"name": "allianz se"}, []),
        ({"name": "\ud800"}, []),
    ],
)
async def test_filter_matches_as_the_columns_types_compare(
    store: Store, told: Told, equals: dict[str, str], keys: list[str]
) -> None:
    assert await store.keys(CBU, told(equals), 10) == told(keys)
    assert await store.keys(CBU, told(equals), 2) == told(keys[:2])


async def test_integer_keys_come_back_as_integers_in_order(store: Store) -> None:
    assert await store.keys(PART, {}, 10) == [1, 2, 5]
    assert await store.keys(PART, {HOSTILE: "5"}, 10) == [5]


async def test_name_matches_exactly_in_any_search_column(store: Store, told: Told) -> None:
    texts = ["Allianz SE", "AGI", "agi", "n", "n\0x", "n\0", 'D\'Arcy "x"', "Zürich Ä", "k1", "", "\ud800", "Allianz%"]
    assert await store.named(CBU, told(texts)) == told(
        {
            "Allianz SE": ["k2", "k3"],
            "AGI": ["k1"],
            "n": ["k\0x"],
            "n\0x": ["k\0x"],
            'D\'Arcy "x"': ["k"],
            "Zürich Ä": ["k3"],
        }
    )
    assert await store.named(PART, ["bolt", "BOLT", "%"]) == {"bolt": [1]}
    assert await store.named(SIZED, ["7", "5", "07", "6"]) == {"7": ["k3"], "5": ["k1", "k2"]}
    assert await store.named(BARE, ["AGI"]) == {}


async def test_name_of_many_rows_gives_two_keys(store: Store) -> None:
    await store.run_script("INSERT INTO cbus (cbu_id, name) VALUES ('a', 'n3'), ('c', 'n3'), ('b', 'n3');")
    assert await store.named(CBU, ["n3", "n3"]) == {"n3": ["a", "c"]}


async def test_similar_rows_come_first_and_the_pool_is_bounded(store: Store) -> None:
    found = await store.similar(CBU, "ALLIANZ investers", 10)
    assert found[0] == Candidate("k1", "Allianz Global Investors", 0.0)
    assert {row.entity_id for row in found[1:3]} == {"k2", "k3"}
    assert len(found) == 6
    assert len(await store.similar(CBU, "Allianz", 2)) == 2


@pytest.mark.parametrize("text", ["", "%", "_", "' OR 1", "\0", "\ud800x", "x" * 100_000, "a b c d e f g h", "Ä"])
async def test_any_text_may_be_searched(store: Store, text: str) -> None:
    assert len(await store.similar(CBU, text, 10)) == 6
    assert len(await store.similar(BARE, text, 10)) == 6
    assert {row.display for row in await store.similar(PART, text, 10)} == {"1", "2", "5"}


async def test_display_falls_back_to_the_key(store: Store, told: Told) -> None:
    assert await store.displays(CBU, told(["k1", "5", "none", "k\0x"])) == told(
        {
            "k1": "Allianz Global Investors",
            "5": "5",
            "k\0x": "n\0x",
        }
    )
    assert await store.displays(PART, [5, 1, 9]) == {5: "5", 1: "1"}


async def test_unknown_column_is_an_error_and_never_a_string(store: Store) -> None:
    with pytest.raises(Exception, match="nope"):
        await store.keys(CBU, {"nope": "nope"}, 10)


async def test_tables_are_described_as_they_are(store: Store, backend: str) -> None:
    generated = "c text GENERATED ALWAYS AS (a || b) STORED" if backend == "postgres" else "c AS (a || b)"
    await store.run_script(
        f"CREATE TABLE pairs (a text, b text, {generated}, PRIMARY KEY (a, b));\n"
        "CREATE UNIQUE INDEX partial ON pairs (b) WHERE a = 'x';\n"
        "CREATE UNIQUE INDEX expression ON pairs (lower(b));\n"
        "CREATE INDEX plain ON pairs (b);\n"
        "CREATE VIEW seen AS SELECT a FROM pairs;"
    )
    described = await store.describe(["cbus", HOSTILE, "pairs", "seen", "missing", "x'); --"])
    unique = {
        "cbus": {frozenset({"cbu_id"}), frozenset({"code"})},
        HOSTILE: {frozenset({HOSTILE}), frozenset({"label"})},
        "pairs": {frozenset({"a", "b"})},
        "seen": set(),
    }
    untyped = "text" if backend == "postgres" else ""
    columns = {
        "cbus": {"cbu_id": "text", "name": "text", "code": "text", "size": "integer", "rate": "numeric"},
        HOSTILE: {HOSTILE: "integer", "label": untyped},
        "pairs": {"a": "text", "b": "text", "c": untyped},
        "seen": {"a": "text"},
    }
    assert {name: table.unique for name, table in described.items()} == unique
    assert {
        name: dict(zip(table.columns, map(str.lower, table.columns.values()), strict=True))
        for name, table in described.items()
    } == columns
    assert [table.name for table in described.values()] == list(unique)
