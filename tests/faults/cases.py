"""One command of every changing kind, the database that it is sent to, and the engine that takes it.

Time and chance are fixed, so that a command leaves the same rows and gives the same bytes whichever process draws for
it: what a crash and a repeat have left is compared with a run without either, row for row.
"""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from tests.engine.driving import HERE

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.clock import Draw, Draws, ulid
from sheetgrpc.config import Settings
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.engine import intents
from sheetgrpc.engine.analyst import Analyst
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.engine.lifetimes import Lifetimes
from sheetgrpc.engine.opening import read_catalog
from sheetgrpc.engine.presence import Presence
from sheetgrpc.engine.replies import Replies
from sheetgrpc.engine.runs import Runs
from sheetgrpc.engine.views import Outcome, Reply
from sheetgrpc.engine.watching import Topics
from sheetgrpc.session.model import Entry, EntryKind, Lifecycle, State
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.queue import QueueMode

Wrap: TypeAlias = Callable[[Any], Any]  # Any: a store, and what stands for it
TARGET = "target"  # the label of the session that the command is about
_EARLIER, _NOW = 1_900_000_000_000_000, 1_900_000_060_000_000  # microseconds
_CATALOG = str(HERE / "fleet.yaml")
_NO_WAITING = "PRAGMA synchronous = OFF"
_QUEUED = "01Q9GD6E00DHW93DTR98H6F0Y2"  # the execution that a case has queued before: drawn by the seeded draws of `make`
_STAR = "11111111-1111-4111-8111-111111111111"
_ROWS = (
    f"INSERT INTO ships (ship_id, name) VALUES ('{_STAR}', 'Star'), ('22222222-2222-4222-8222-222222222222', 'Moon')"
)
_SHEET = '(ship.ensure :name "New" :as @s) (voyage.ensure :ship @s :number 1)'
_OPEN = "(voyage.ensure :ship <Sta> :number 1) (voyage.ensure :ship <Sta> :number 2)"
_SCOPED = (intents.SetScope("ship", all=True),)
_TEMPLATED = (*_SCOPED, intents.SetTemplate("(voyage.ensure :ship @ship :number 1)"))
_CONFIRMED = (*_TEMPLATED, intents.ConfirmIntent())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A command, and those that lead its session to where it is legal. A QueueMode stands for PauseQueue.

    `cancelled`: what they have queued is cancelled, and the command is about that execution.
    """

    intent: Intent | QueueMode
    before: tuple[Intent, ...] = ()
    cancelled: bool = False


CASES: Mapping[str, Case] = {
    type(case.intent).__name__: case
    for case in (
        Case(intent=intents.CreateSession(name="new", labels=("fresh", "crisp"), metadata={"a": [1, None]})),
        Case(intent=intents.SetScope("ship", all=True)),
        Case(intent=intents.ClearScope(), before=_SCOPED),
        Case(intent=intents.SetTemplate("(voyage.ensure :ship @ship :number 7)"), before=_SCOPED),
        Case(intent=intents.ConfirmIntent(), before=_TEMPLATED),
        Case(intent=intents.GenerateSheet(), before=_CONFIRMED),
        Case(intent=intents.ImportSheet(_SHEET)),
        Case(intent=intents.ParseSheet(), before=(intents.ImportSheet(_OPEN),)),
        Case(
            intent=intents.ResolveReference("0:ship", _STAR, apply_to_same_text=True),
            before=(intents.ImportSheet(_OPEN), intents.ParseSheet()),
        ),
        Case(
            intent=intents.SubmitSheet(confirm=True),
            before=(intents.ImportSheet(_SHEET), intents.ParseSheet()),
        ),
        Case(
            intent=intents.ReplayExecution(_QUEUED, confirm=True),
            before=(intents.ImportSheet(_SHEET), intents.ParseSheet(), intents.SubmitSheet(confirm=True)),
            cancelled=True,
        ),
        Case(intent=QueueMode.DRAIN),
        Case(intent=intents.ResetSession(to=State.EMPTY), before=_CONFIRMED),
        Case(intent=intents.CloseSession(outcome=Lifecycle.COMPLETED)),
        Case(intent=intents.LabelSession("taken")),  # from the other session
        Case(intent=intents.UpdateSession(name="other", metadata={"b": {"c": 1}, "a": None})),
        Case(intent=intents.AppendSessionEvents((Entry(EntryKind.COMMAND, "go"), Entry(EntryKind.ALERT, "gone")))),
        Case(intent=intents.RenewSession()),
        Case(
            intent=intents.UndoSession(),
            before=(intents.ImportSheet(_OPEN), intents.ParseSheet(), intents.ResolveReference("0:ship", _STAR)),
        ),
        Case(intent=intents.RedoSession(), before=(*_SCOPED, intents.UndoSession())),
        Case(intent=intents.ForkSession(name="fork"), before=(intents.ImportSheet(_OPEN), intents.ParseSheet())),
    )
}


class OneDraw(Draws):
    """Draws the same for ever: a command that was rolled back and is sent again gets what it had."""

    def __init__(self) -> None:
        super().__init__(now=lambda: _NOW)

    def draw(self) -> Draw:
        """What the first draw is, in every process."""
        return Draw(now=_NOW, id=ulid(_NOW // 1000, 7), seed=7)


async def make(path: Path, case: Case) -> None:
    """The database as the command finds it: its session, and another that has a label."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{_NO_WAITING}; {(HERE / 'fleet.sql').read_text()} {_ROWS};")
    async with opened(path, draws=Draws(lambda: _EARLIER, random.Random(1).getrandbits)) as engine:
        for label in (TARGET, "taken"):
            made = intents.CreateSession(name=label, labels=(label,), metadata={"a": 1})
            await engine.handle(Envelope("anna", "CreateSession"), made, encode)
        for intent in case.before:
            await engine.handle(Envelope("anna", type(intent).__name__, TARGET), intent, encode)
        if case.cancelled:
            await engine.cancel(Envelope("anna", "CancelExecution", _QUEUED), intents.CancelExecution(_QUEUED), _empty)


@cache
def read_once() -> Catalog:
    """The catalog; reading it takes longer than all the rest of an engine's start."""
    return read_catalog(_CATALOG)[0]


async def open_engine(path: Path, wrap: Wrap = lambda store: store, *, draws: Draws | None = None) -> Engine:
    """An engine on the file that is not started: nothing is done but what is asked. `wrap` gets the real store."""
    draws = draws or OneDraw()
    settings = Settings(database=f"sqlite:///{path}", catalog=_CATALOG)
    store: Any = await open_store(settings.database, now=draws.now)
    catalog = read_once()
    await store.prepare(catalog)
    # A killed process leaves what it wrote to the system: waiting for the disk would only make these tests slow.
    await store._writer.run(lambda connection: connection.execute(_NO_WAITING))
    wrapped = wrap(store)
    analyst = Analyst(catalog, wrapped, Limits())
    presence = Presence(draws.now)
    lifetimes = Lifetimes(draws, presence, settings.retention_us)
    topics, replies = Topics(presence), Replies(wrapped)
    return Engine(Context(wrapped, catalog, settings, draws, analyst, Runs(), topics, presence, lifetimes, replies))


@asynccontextmanager
async def opened(path: Path, wrap: Wrap = lambda store: store, *, draws: Draws | None = None) -> AsyncIterator[Engine]:
    """`open_engine`, and stopped at the end."""
    engine = await open_engine(path, wrap, draws=draws)
    try:
        yield engine
    finally:
        await engine.stop()


async def send(engine: Engine, case: Case, request_id: str = "the-one") -> Reply:
    """The case's command, as the edge sends it."""
    if isinstance(case.intent, QueueMode):
        envelope = Envelope("anna", "PauseQueue", "", request_id, b"content")
        return await engine.queue.change(envelope, case.intent, msgspec.json.encode)
    method = type(case.intent).__name__
    target = _QUEUED if case.cancelled else "" if method == "CreateSession" else TARGET
    envelope = Envelope("anna", method, target, request_id, b"content", names_execution=case.cancelled)
    return await engine.handle(envelope, case.intent, encode)


def _empty(_: object) -> bytes:
    return b""


def encode(outcome: Outcome) -> bytes:
    """An answer with all that is in it."""
    return msgspec.json.encode(outcome)


def dump(path: Path) -> list[str]:
    """Every row of every table, ours and the user's."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(_NO_WAITING)
        return [line for line in connection.iterdump() if line.startswith("INSERT")]


def check_sound(path: Path) -> None:
    """Fails where the file is damaged."""
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []


def rows(path: Path, sql: str) -> list[Any]:
    """What a query of the file finds."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(_NO_WAITING)
        return connection.execute(sql).fetchall()
