"""Random sheets, planned and then run: a plan leaves nothing behind, and the run that follows does what it said."""

import random
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest
from tests.engine.driving import Driver, drive
from tests.engine.places import Place

from sheetgrpc.engine import intents
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Effect
from sheetgrpc.session.model import State

TABLES = {
    "flags": ("code",), "ports": ("port_no",), "ships": ("ship_id",), "voyages": ("voyage_id",),
    "calls": ("voyage_id", "port_no"), "sailors": ("sailor_no",),
}  # fmt: skip
Rows = dict[tuple[str, ...], dict[str, Any]]  # by key: column -> value, in any form that the database has


def make_sheet(chance: random.Random) -> str:
    """A sheet of up to 25 statements over a few names, so that many meet."""
    names, codes = [f"Ship {n}" for n in range(5)], ["A", "B", "C", "D"]
    lines: list[str] = []
    symbols: dict[str, list[str]] = {"ship": [], "port": [], "voyage": []}
    for number in range(chance.randint(1, 25)):
        name, code, small = chance.choice(names), chance.choice(codes), chance.randint(1, 4)
        new = f"@s{number}"
        choices = [
            (
                f'(ship.ensure :name "{name}" :tonnage {small} :active {chance.choice(["true", "false"])} :as {new})',
                "ship",
            ),
            (f'(ship.ensure :name "{name}" :draft {small}.50 :meta {{:a {small}}} :as {new})', "ship"),
            (f'(port.ensure :code "{code}" :name "n{small}" :depth {small}.5 :as {new})', "port"),
            (f'(port.touch :code "{code}" :name "t{small}")', ""),
            (f'(port.recode :from "{code}" :to "{code}x")', ""),
            (f'(sailor.hire :email "{number}-{chance.random()}" :age {20 + small})', ""),
            (f'(flag.ensure :code "{code}" :country "c{small}")', ""),
            (f'(port.find :code "{code}")', ""),
        ]
        if symbols["ship"]:
            ship = chance.choice(symbols["ship"])
            choices.append((f"(voyage.ensure :ship {ship} :number {small} :meta {{:ship {ship}}} :as {new})", "voyage"))
            choices.append((f"(ship.load :ship {ship} :tonnage {small})", ""))
        if symbols["voyage"] and symbols["port"]:
            voyage, port = chance.choice(symbols["voyage"]), chance.choice(symbols["port"])
            choices.append((f'(call.set :voyage {voyage} :port {port} :berth "b{small}")', ""))
            choices.append((f"(call.drop :voyage {voyage} :port {port})", ""))
        line, kind = chance.choice(choices)
        lines.append(line)
        if kind:
            symbols[kind].append(new)
    return "\n".join(lines)


def plain(value: object) -> str:
    """A value in a form that both databases and sheets have."""
    if isinstance(value, bool):
        return str(int(value))
    try:
        return format(Decimal(str(value)).normalize(), "f")
    except InvalidOperation:
        return str(value).replace(" ", "")


def read_rows(fleet: Driver) -> dict[str, Rows]:
    """Every row of the user's tables."""
    found: dict[str, Rows] = {}
    for table, key in TABLES.items():
        columns = COLUMNS[table]
        rows = fleet.rows(f"SELECT {', '.join(columns)} FROM {table}")
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        found[table] = {tuple(plain(row[name]) for name in key): row for row in named}
    return found


COLUMNS = {
    "flags": ("code", "country"),
    "ports": ("port_no", "code", "name", "depth"),
    "ships": ("ship_id", "name", "tonnage", "draft", "active"),
    "voyages": ("voyage_id", "ship_id", "number"),
    "calls": ("voyage_id", "port_no", "berth"),
    "sailors": ("sailor_no", "email", "age"),
}


def replay(rows: dict[str, Rows], effects: list[RowEffect], depths: Mapping[int, int]) -> None:
    """Does to the rows what the effects say."""
    for effect in sorted(effects, key=lambda effect: (depths[effect.statement_index], effect.statement_index)):
        key = TABLES[effect.table]
        values = effect.after or effect.before
        row = (plain(effect.key),) if effect.key is not None else tuple(plain(values[name]) for name in key)
        table = rows[effect.table]
        known = COLUMNS[effect.table]
        if effect.kind == Effect.CREATED:
            assert row not in table
            table[row] = {name: value for name, value in effect.after.items() if name in known}
            continue
        for name, value in effect.before.items():
            if name in known and name in table[row]:
                assert plain(table[row][name]) == plain(value), (effect, table[row])
        if effect.kind == Effect.DELETED:
            del table[row]
        else:
            table[row].update({name: value for name, value in effect.after.items() if name in known})


async def check(fleet: Driver, chance: random.Random, session: str) -> str:
    """Plans, and then runs, one random sheet; how the plan ended."""
    outcome = await fleet.parse(session, make_sheet(chance))
    if outcome.session.row.session.state is not State.READY:
        return "not ready"
    before, rows = fleet.dump(), read_rows(fleet)
    planned = await fleet.plan(session)
    assert fleet.dump() == before
    assert (await fleet.plan(session)).plan_digest == planned.plan_digest
    if planned.state.value != "SUCCEEDED":
        ended = await fleet.finish(await fleet.submit(session))
        assert (ended.state, fleet.dump()) == (planned.state, before)
        return planned.state.value
    ended = await fleet.finish(await fleet.submit(session, plan_digest=planned.plan_digest))
    assert ended.state.value == "SUCCEEDED", ended.error
    assert ended.tables == planned.tables
    told, done = await fleet.effects(planned.id), await fleet.effects(ended.id)
    results = [result.row for result in await fleet.results(ended.id)]
    assert len(told) == len(done) == sum(one.created + one.updated + one.deleted for one in ended.tables)
    made = {f"#{row.index}": row.key for row in results if row.effect == Effect.CREATED}
    for one, other in zip(told, done, strict=True):
        assert (one.statement_index, one.table, one.kind, one.display) == (
            other.statement_index, other.table, other.kind, other.display,
        )  # fmt: skip
        assert made.get(str(one.key), one.key) == other.key
    replay(rows, done, {row.index: row.depth for row in results})
    compare(rows, read_rows(fleet))
    return "SUCCEEDED"


def compare(replayed: dict[str, Rows], live: dict[str, Rows]) -> None:
    """Fails where a row is not what the effects made of it; what the database itself put there is anybody's guess."""
    for table, rows in live.items():
        assert rows.keys() == replayed[table].keys(), table
        for key, row in rows.items():
            known = replayed[table][key]
            assert {name: plain(row[name]) for name in known} == {name: plain(value) for name, value in known.items()}


async def walk(path: Place, sheets: int, seed: int) -> None:
    """Sheet after sheet over the same tables, with a fresh session each."""
    chance = random.Random(seed)
    ends: list[str] = []
    async with drive(path) as fleet:
        for _ in range(sheets):
            session = (await fleet.call("", intents.CreateSession())).session.row.session.id
            ends.append(await check(fleet, chance, session))
    assert ends.count("SUCCEEDED") > sheets // 4, ends
    assert "ROLLED_BACK" in ends


async def test_a_plan_leaves_nothing_behind_and_its_effects_are_those_of_the_run(path: Place) -> None:
    """C-R38: what is shown is what happens, row for row; 1,000 sheets in `make soak`."""
    await walk(path, 100 if isinstance(path, Path) else 20, 1)


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_thousand_plans(path: Place) -> None:
    await walk(path, 1000, 2)
