"""One command of every changing kind, the database that it is sent to, and the engine that takes it.

Time and chance are fixed, so that a command leaves the same rows and gives the same bytes whichever process draws for
it: what a crash and a repeat have left is compared with a run without either, row for row.
"""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from tests.engine.driving import HERE, read

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.clock import Draw, Draws, ulid
from sheetgrpc.config import Settings
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.engine import intents
from sheetgrpc.engine.analyst import Analyst
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.intents import Envelope, Intent, TaskIntent
from sheetgrpc.engine.lifetimes import Lifetimes
from sheetgrpc.engine.opening import read_catalog
from sheetgrpc.engine.presence import Presence
from sheetgrpc.engine.replies import Replies
from sheetgrpc.engine.runs import Runs
from sheetgrpc.engine.updates import Finished
from sheetgrpc.engine.views import Outcome, Reply
from sheetgrpc.engine.watching import Topics
from sheetgrpc.session.approvals import Approval, Verdict
from sheetgrpc.session.model import Entry, EntryKind, ExecutionState, Lifecycle, State, TaskKind, TaskState
from sheetgrpc.session.tasks import Task, TaskUpdate
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.queue import QueueMode
from sheetgrpc.store.records import ApprovalChange, Changes, ExecutionFilter, ExecutionRow

Wrap: TypeAlias = Callable[[Any], Any]  # Any: a store, and what stands for it
RUN = "the run"  # instead of a case: what is queued
APPROVAL, PLAN = "01JD0000000000000000000AP1", "d" * 64
TARGET = "target"  # the label of the session that the command is about
_EARLIER, _NOW = 1_900_000_000_000_000, 1_900_000_060_000_000  # microseconds
_CATALOG = str(HERE / "fleet.yaml")
_NO_WAITING = "PRAGMA synchronous = OFF"
_QUEUED = (
    "01Q9GD6E00DHW93DTR98H6F0Y2"  # the execution that a case has queued before: drawn by the seeded draws of `make`
)
_STAR = "11111111-1111-4111-8111-111111111111"
_ROWS = (
    f"INSERT INTO ships (ship_id, name) VALUES ('{_STAR}', 'Star'), ('22222222-2222-4222-8222-222222222222', 'Moon')"
)
_SHEET = '(ship.ensure :name "New" :as @s) (voyage.ensure :ship @s :number 1)'
_OPEN = "(voyage.ensure :ship <Sta> :number 1) (voyage.ensure :ship <Sta> :number 2)"
_SCOPED = (intents.SetScope("ship", all=True),)
_TEMPLATED = (*_SCOPED, intents.SetTemplate("(voyage.ensure :ship @ship :number 1)"))
_CONFIRMED = (*_TEMPLATED, intents.ConfirmIntent())
_ASK = intents.CreateTask(TaskKind.APPROVAL, "may we?", "a", "b", {"n": 1}, session=TARGET, idempotency_key="k")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A command, and those that lead its session to where it is legal. A QueueMode stands for PauseQueue.

    `cancelled`: what they have queued is cancelled, and the command is about that execution.
    """

    intent: Intent | TaskIntent | QueueMode
    before: tuple[Intent | TaskIntent, ...] = ()
    cancelled: bool = False
    beside: Callable[[Engine], Awaitable[None]] | None = None  # what no command of this session alone leads to


async def _end_plan(engine: Engine) -> None:
    """The dry run has ended."""
    (planned,) = await engine.list_executions(ExecutionFilter(), 2, None)
    for state in (ExecutionState.RUNNING, ExecutionState.SUCCEEDED):
        row = await engine.store.execution(planned.id)
        async with engine.store.begin() as transaction:
            opened = await transaction.open(row.session_id, None)
            assert opened.row is not None
            ended = msgspec.structs.replace(row, plan_digest=PLAN, epoch=1, state=state)
            await transaction.commit(Changes(session=opened.row.session, events=(), execution=ended))


async def _ask(engine: Engine) -> None:
    """An approval was asked for."""
    row = await engine.store.session(TARGET)
    approval = Approval(
        id=APPROVAL,
        session_id=row.session.id,
        execution_id="",
        sheet_id="",
        sheet_digest="",
        plan_digest=PLAN,
        catalog_digest="",
        requested_by="anna",
        requested_at=_EARLIER,
        expires_at=_NOW + 1,
        needed=1,
    )
    async with engine.store.begin() as transaction:
        await transaction.open(row.session.id, None)
        await transaction.commit(Changes(session=row.session, events=(), approval=ApprovalChange(approval)))


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
        Case(intent=intents.PlanSheet(), before=(intents.ImportSheet(_SHEET), intents.ParseSheet())),
        Case(
            intent=intents.RequestApproval(PLAN, "please"),
            before=(intents.ImportSheet(_SHEET), intents.ParseSheet(), intents.PlanSheet()),
            beside=_end_plan,
        ),
        Case(intent=intents.DecideApproval(APPROVAL, Verdict.APPROVE, "fine"), beside=_ask),
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
        Case(intent=_ASK),
        Case(intent=intents.UpdateTask(TaskUpdate(state=TaskState.APPROVED, notes="go on")), before=(_ASK,)),
    )
}


class OneDraw(Draws):
    """Draws the same for ever: a command that was rolled back and is sent again gets what it had."""

    def __init__(self) -> None:
        super().__init__(now=lambda: _NOW)

    def draw(self) -> Draw:
        """What the first draw is, in every process."""
        return Draw(now=_NOW, id=ulid(_NOW // 1000, 7), seed=7)


def _earlier() -> Draws:
    """What the databases are made with: the same in each of them."""
    return Draws(lambda: _EARLIER, random.Random(1).getrandbits)


def _third() -> str:
    """The id of what is made after the two sessions."""
    draws = _earlier()
    return [draws.draw().id for _ in range(3)][-1]


_TASK = _third()


async def make(path: Path, case: Case) -> None:
    """The database as the command finds it: its session, and another that has a label."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{_NO_WAITING}; {(HERE / 'fleet.sql').read_text()} {_ROWS};")
    async with opened(path, draws=_earlier()) as engine:
        for label in (TARGET, "taken"):
            made = intents.CreateSession(name=label, labels=(label,), metadata={"a": 1})
            await engine.handle(Envelope("anna", "CreateSession"), made, encode)
        for intent in case.before:
            await _handle(engine, intent)
        if case.beside is not None:
            await case.beside(engine)
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
    return await _handle(engine, case.intent, request_id)


async def run_queued(engine: Engine) -> ExecutionRow:
    """Runs the one execution there is to its end."""
    (execution,) = await engine.list_executions(ExecutionFilter(), 2, None)
    engine._executor.start()
    async with asyncio.timeout(20):
        updates = await read(await engine.watch(execution.id, "", False))
    body = updates[-1].body
    assert isinstance(body, Finished)
    return body.execution


async def run_waiting(engine: Engine) -> ExecutionRow:
    """Runs what waits, as a server that starts does; the last of it."""
    await engine._executor.recover()
    engine._executor.start()
    (execution, *_) = await engine.list_executions(ExecutionFilter(), 1, None)
    async with asyncio.timeout(30):
        updates = await read(await engine.watch(execution.id, "", False))
    assert isinstance(updates[-1].body, Finished)
    return updates[-1].body.execution


def _empty(_: object) -> bytes:
    return b""


async def _handle(engine: Engine, intent: Intent | TaskIntent, request_id: str = "") -> Reply:
    method = type(intent).__name__
    target = {"CreateSession": "", "CreateTask": "", "UpdateTask": _TASK}.get(method, TARGET)
    envelope = Envelope("anna", method, target, request_id, b"content")
    if isinstance(intent, intents.CreateTask | intents.UpdateTask):
        return await engine.tasks.handle(envelope, intent, encode)
    if isinstance(intent, intents.ReplayExecution):
        envelope = Envelope("anna", method, _QUEUED, request_id, b"content", names_execution=True)
    if isinstance(intent, intents.DecideApproval):
        envelope = Envelope("pia", method, APPROVAL, request_id, b"content", approval=APPROVAL)
    return await engine.handle(envelope, intent, encode)


def encode(outcome: Outcome | Task) -> bytes:
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
