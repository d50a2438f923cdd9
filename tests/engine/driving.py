"""Drives an engine in process, over foreign tables (fleet.sql, fleet.yaml) in a real SQLite file."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.engine import places
from tests.engine.places import Place, make_database, url_of

from sheetgrpc.clock import Draws, wall_clock
from sheetgrpc.config import Settings
from sheetgrpc.engine import intents
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.engine.updates import Finished, Update
from sheetgrpc.engine.views import Outcome, Reply, ResultView
from sheetgrpc.engine.watcher import Watcher
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Effect, Status
from sheetgrpc.session.model import Mode, State, TaskState
from sheetgrpc.session.tasks import Task, TaskUpdate
from sheetgrpc.store.packing import EffectFilter
from sheetgrpc.store.records import ExecutionRow

HERE = Path(__file__).parent
COLLECT, BEST = Mode.ATOMIC_COLLECT, Mode.BEST_EFFORT
UNUSED = "00000000-0000-4000-8000-000000000000"  # a key that no row has


class Clock:
    """A clock that goes on a millisecond whenever it is looked at; from now on, as the store looks at the real one."""

    def __init__(self) -> None:
        self._ticks = itertools.count(wall_clock(), 1000)

    def __call__(self) -> int:
        return next(self._ticks)


class Driver:
    """An engine, and what tests do with it."""

    def __init__(self, engine: Engine, path: Place) -> None:
        self.engine = engine
        self.path = path

    async def call(
        self,
        session: str,
        intent: Intent,
        *,
        method: str = "",
        request_id: str = "",
        fingerprint: bytes = b"",
        expected_version: int | None = None,
    ) -> Outcome:
        """What a changing call leads to."""
        found: list[Outcome] = []

        def keep(outcome: Outcome) -> bytes:
            found.append(outcome)
            return b"kept"

        await self.engine.handle(
            Envelope("anna", method or type(intent).__name__, session, request_id, fingerprint, expected_version),
            intent,
            keep,
        )
        return found[-1]

    async def ask(self, intent: intents.CreateTask, *, caller: str = "anna", request_id: str = "") -> Task:
        """A new task, or the one that there is under its key."""
        return await self._task(Envelope(caller, "CreateTask", "", request_id, b"f"), intent)

    async def carry_on(
        self, task: str, state: TaskState | None = None, *, version: int | None = None, **update: Any
    ) -> Task:
        """A task after a change."""
        intent = intents.UpdateTask(TaskUpdate(state=state, **update))
        return await self._task(Envelope("anna", "UpdateTask", task, expected_version=version), intent)

    async def _task(self, envelope: Envelope, intent: intents.TaskIntent) -> Task:
        reply = await self.engine.tasks.handle(envelope, intent, msgspec.json.encode)
        return msgspec.json.decode(reply.body, type=Task)

    async def send(self, session: str, intent: Intent, request_id: str, fingerprint: bytes = b"f") -> Reply:
        """A changing call with a request id, answered as the edge would."""
        envelope = Envelope("anna", type(intent).__name__, session, request_id, fingerprint)
        return await self.engine.handle(envelope, intent, describe)

    async def open(self, name: str = "") -> str:
        """A new session's id."""
        outcome = await self.call("", intents.CreateSession(name=name))
        return outcome.session.row.session.id

    async def parse(self, session: str, sheet: str) -> Outcome:
        await self.call(session, intents.ImportSheet(sheet))
        return await self.call(session, intents.ParseSheet())

    async def ready(self, sheet: str, session: str = "") -> str:
        """A session whose sheet is READY."""
        session = session or await self.open()
        outcome = await self.parse(session, sheet)
        found = outcome.sheet
        assert outcome.session.row.session.state is State.READY, found and (
            found.diagnostics,
            found.unresolved_references,
        )
        return session

    async def submit(self, session: str, mode: Mode = Mode.ATOMIC, within: int | None = None, **more: Any) -> str:
        """The id of the execution of a READY session's sheet; `within` is its timeout in microseconds."""
        envelope = Envelope("anna", "ExecuteSheet", session)
        intent = intents.SubmitSheet(confirm=True, mode=mode, timeout=within, **more)
        execution, _ = await self.engine.execute(envelope, intent)
        return execution

    async def plan(self, session: str, within: int | None = None) -> ExecutionRow:
        """A dry run of a READY session's sheet, ended."""
        outcome = await self.call(session, intents.PlanSheet(timeout=within))
        assert outcome.execution is not None
        return await self.finish(outcome.execution.id)

    async def effects(self, execution: str, **wanted: Any) -> list[RowEffect]:
        """All effects of an execution."""
        found = await self.engine.list_effects(execution, -1, 1_000_000, EffectFilter(**wanted))
        assert [position for position, _ in found] == sorted({position for position, _ in found})
        return [effect for _, effect in found]

    async def finish(self, execution: str) -> ExecutionRow:
        """Waits for an execution's end."""
        updates = await read(await self.engine.watch(execution, "", False))
        body = updates[-1].body
        assert isinstance(body, Finished)
        return body.execution

    async def run(self, sheet: str, mode: Mode = Mode.ATOMIC, *, session: str = "", within: int | None = None) -> "Ran":
        """A sheet from text to end."""
        session = await self.ready(sheet, session)
        execution = await self.finish(await self.submit(session, mode, within))
        return Ran(session, execution, await self.results(execution.id))

    async def results(self, execution: str) -> list[ResultView]:
        return await self.engine.list_results(execution, -1, 100_000, ())

    async def state(self, session: str) -> State:
        return (await self.engine.get_session(session)).row.session.state

    def rows(self, sql: str, *values: object) -> list[Any]:
        """A query of the user's tables; rows of one column as that column's values."""
        return places.query(self.path, sql, *values)

    def change(self, sql: str, *values: object) -> None:
        """A change that another program makes."""
        places.change(self.path, sql, *values)

    def dump(self) -> str:
        """All of the user's tables, as text."""
        return places.dump(self.path)


class Ran:
    """How a sheet ended."""

    def __init__(self, session: str, execution: ExecutionRow, results: list[ResultView]) -> None:
        self.session = session
        self.execution = execution
        self.state = execution.state.value
        self.results = [result.row for result in results]
        self.views = results

    @property
    def effects(self) -> list[str]:
        return [Effect(row.effect).name for row in self.results]

    @property
    def statuses(self) -> list[str]:
        return [Status(row.status).name for row in self.results]

    @property
    def keys(self) -> list[Any]:
        return [row.key for row in self.results]

    @property
    def errors(self) -> dict[int, str]:
        return {row.index: row.error.code.value for row in self.results if row.error is not None}

    @property
    def blocked(self) -> dict[int, int | None]:
        return {
            row.index: row.error.blocked_by
            for row in self.results
            if row.error is not None and row.status == Status.SKIPPED
        }


def describe(outcome: Outcome) -> bytes:
    """An answer as bytes: what a client would see of it."""
    session = outcome.session.row.session
    execution = outcome.execution.id if outcome.execution is not None else ""
    return f"{session.id} {session.state} {session.version} {execution}".encode()


async def read(watcher: Watcher) -> list[Update]:
    """A stream to its end."""
    updates: list[Update] = []
    while (update := await watcher.next()) is not None:
        updates.append(update)
    return updates


@asynccontextmanager
async def drive(
    path: Place, *, start: bool = True, draws: Draws | None = None, **settings: Any
) -> AsyncIterator[Driver]:
    """An engine on the file or database; made with the user's tables if it is not there.

    `start` is Engine.start but for the analysis process, which most tests have no use for.
    """
    make_database(path)
    known: Mapping[str, Any] = {"database": url_of(path), "catalog": str(HERE / "fleet.yaml")}
    engine = await open_engine(Settings(**{**known, **settings}), draws or Draws(now=Clock()))
    try:
        if start:
            await engine._executor.recover()
            await engine._replica.start()
            engine._executor.start()
        yield Driver(engine, path)
    finally:
        await engine.stop()
