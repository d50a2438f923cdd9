"""Writes the dump that a new migration needs: `python -m tests.store.dumping > tests/store/dumps/NNNN.sql`.

A database of the newest schema with rows in every table, as a server leaves it: sessions in each state, a sheet that
was applied, names open and chosen, an execution that waits and one that was running, replies to request ids. A dump is
never made anew: it is what a program of its time has written.
"""

import asyncio
import itertools
import random
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import structlog
from tests.engine.driving import Driver, drive
from tests.engine.test_recovery import _claim

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.session.approvals import Verdict
from sheetgrpc.session.evolution import fold
from sheetgrpc.session.model import Client, Entry, EntryKind, Lifecycle, TaskKind, TaskState

NOON = 1_790_000_000_000_000
"""When the rows came about, in microseconds."""
SHIPS = '(ship.ensure :name "Sea Star" :as @star) (ship.ensure :name "Sea Stone")'
OPEN = "(voyage.ensure :ship <Sea St> :number 1)"


async def fill(path: Path) -> None:
    """Makes the database."""
    ticks = itertools.count(NOON, 1000)
    draws = Draws(now=lambda: next(ticks), entropy=random.Random(1).getrandbits)
    async with drive(path, draws=draws) as fleet:
        await _apply(fleet)
        await _collect(fleet)
        await _resolve(fleet)
        await _go_back(fleet)
        await _age(fleet)
        await _ask(fleet)
        await _plan(fleet)
    async with drive(path, draws=draws, start=False) as fleet:
        await fleet.submit(await fleet.ready('(port.ensure :code "A")'))
        await _claim(fleet, await fleet.submit(await fleet.ready('(port.ensure :code "B")')))


async def _apply(fleet: Driver) -> None:
    """One that was applied, with symbols and replies, then closed."""
    create = intents.CreateSession(
        name="Ünï", client=Client("cli", "0.1.0", "prod"), role="loader", metadata={"a": [1, None]}, labels=("first",)
    )
    session = (await fleet.call("", create)).session.row.session.id
    await fleet.send(session, intents.ImportSheet(SHIPS), "import")
    await fleet.send(session, intents.ParseSheet(), "parse")
    await fleet.finish(await fleet.submit(session))
    await fleet.call(session, intents.LabelSession("applied"))
    await fleet.call(session, intents.CloseSession(Lifecycle.COMPLETED))


async def _collect(fleet: Driver) -> None:
    """One that is empty, one with a scope, one with a template, one with a generated sheet."""
    steps: list[intents.Intent] = [
        intents.SetScope("ship", all=True),
        intents.SetTemplate("(voyage.ensure :ship @ship :number 1)"),
        intents.ConfirmIntent(),
        intents.GenerateSheet(),
    ]
    for count in (0, 1, 2, 4):
        session = await fleet.open(f"{count} steps")
        for step in steps[:count]:
            await fleet.call(session, step)


async def _resolve(fleet: Driver) -> None:
    """One with errors, one with an open name, one with a chosen one."""
    await fleet.parse(await fleet.open("errors"), "(no.verb) (port.find :code @none)")
    await fleet.parse(await fleet.open("open"), OPEN)
    session = await fleet.open("chosen")
    sheet = (await fleet.parse(session, OPEN)).sheet
    assert sheet is not None
    (reference,) = sheet.unresolved_references
    chosen = str(reference.row.candidates[0].entity_id)
    await fleet.call(session, intents.ResolveReference(reference.row.reference.ref_id, chosen))


async def _go_back(fleet: Driver) -> None:
    """One with a step to redo and lines of a terminal, and its fork."""
    session = await fleet.open("undone")
    await fleet.parse(session, OPEN)
    await fleet.call(session, intents.UndoSession())
    await fleet.call(session, intents.AppendSessionEvents((Entry(EntryKind.WARN, "one step back", {"steps": 1}),)))
    await fleet.call(session, intents.ForkSession(name="forked"))


async def _plan(fleet: Driver) -> None:
    """One with a plan: its effects, and an approval of it."""
    planned = await fleet.plan(await fleet.ready('(port.ensure :code "P") (ship.ensure :name "Sea Star")'))
    outcome = await fleet.call(planned.session_id, intents.RequestApproval(planned.plan_digest, "please"))
    assert outcome.approval is not None
    asked = outcome.approval.id
    envelope = Envelope("pia", "DecideApproval", asked, approval=asked)
    await fleet.engine.handle(envelope, intents.DecideApproval(asked, Verdict.APPROVE, "fine"), lambda _: b"")


async def _age(fleet: Driver) -> None:
    """One with a lease, one whose log was trimmed, one on its way out that leaves results behind."""
    await fleet.call("", intents.CreateSession(name="leased", lease=60_000_000))
    store = fleet.engine.store
    trimmed = await fleet.open("trimmed")
    for name in "abc":
        await fleet.call(trimmed, intents.UpdateSession(name=name))
    found = (await store.session(trimmed)).session
    assert await store.upkeep.trim(found, fold([row.event for row in await store.events(trimmed, 0, 2)]))
    gone = (await fleet.run('(port.ensure :code "G")')).session
    await fleet.call(gone, intents.CloseSession(Lifecycle.FAILED))
    assert await store.upkeep.purge(gone, NOON * 2)


async def _ask(fleet: Driver) -> None:
    """Tasks: a routed one of a session, with the approval it was asked for; a notification of nobody's session."""
    session = await fleet.open("asked")
    routed = await fleet.ask(intents.CreateTask(TaskKind.ROUTING, "load", "desk", "loader", session=session))
    approval = intents.CreateTask(
        TaskKind.APPROVAL, "may we?", "loader", "finance", {"rows": 2}, parent=routed.id, idempotency_key="k"
    )
    asked = await fleet.ask(approval)
    await fleet.carry_on(asked.id, TaskState.APPROVED, notes="go on")
    await fleet.ask(intents.CreateTask(TaskKind.NOTIFICATION, "loaded", "loader", "desk"))


def main() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fleet.db")
        asyncio.run(fill(path))
        with closing(sqlite3.connect(path)) as connection:
            sys.stdout.writelines(f"{line}\n" for line in connection.iterdump())


if __name__ == "__main__":
    main()
