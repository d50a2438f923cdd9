"""The invariants of the queue under random interleavings: submits, claims, cancels, crashes, retries, late receipts,
pauses and replays, against the real engine and store; the clocks are moved by hand.

A walk is a list of steps. Runs go on beside the steps that follow, as they do in a server, and are waited for only
where a step says so; a crash takes the store away under whatever is under way.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.engine.hands import DAY, NOON, Hands
from tests.engine.places import Place
from tests.engine.stopping import cancel
from tests.engine.test_retries import gone, replay
from tests.engine.troubling import AWAY, BUSY, Stepped, stepped

from sheetgrpc.engine import endings, intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.errors import SheetError
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.queue import QueueMode
from sheetgrpc.store.records import ExecutionFilter, ExecutionRow

_walks = itertools.count(1)
_PICK = st.integers(0, 7)
_WEIGHTS = {
    "submit": 4,
    "begin": 5,
    "fail": 6,
    "settle": 3,
    "cancel": 2,
    "stop": 3,
    "crash": 1,
    "late": 1,
    "mode": 1,
    "go": 4,
    "jump": 1,
    "replay": 2,
}
STEPS = st.tuples(st.sampled_from([name for name, weight in _WEIGHTS.items() for _ in range(weight)]), _PICK)
_SECONDS = [0, 1, 4, 4, 16, 16, 64, 64]
_TROUBLES = [
    ("begin", [BUSY]),
    ("begin", [None, BUSY]),
    ("apply", [AWAY]),
    ("apply", [BUSY, BUSY]),
    ("record", [AWAY]),
    ("sheet", [gone]),
    ("recheck", [AWAY] * 4),
    ("commit", [AWAY]),
]
_ENDED = {state.value for state in ExecutionState if state.terminal}


class Walk:
    """One walk: the engine of the moment, and what is known of its executions."""

    def __init__(self, path: Place) -> None:
        self.path = path
        self.number = next(_walks)
        self.hands = Hands(NOON + self.number * DAY)
        self.codes: dict[str, str] = {}  # execution -> the row that it makes
        self.promised: dict[str, set[str]] = {}  # execution -> how it may end, after what a cancel was answered
        self.fleet: Stepped

    async def take(self, steps: list[tuple[str, int]]) -> None:
        """All of the steps; a crash goes on with another engine."""
        left = iter(steps)
        over = False
        while not over:
            async with stepped(self.path, self.hands, retry_delays=(4.0, 16.0), max_queued=5) as self.fleet:
                over = await self._until_crash(left)
        async with stepped(self.path, self.hands) as self.fleet:
            await self.check()

    async def _until_crash(self, left: Iterator[tuple[str, int]]) -> bool:
        for name, value in left:
            if name == "crash":
                await self.fleet.engine.store.close()  # as a process goes
                return False
            with suppress(SheetError):  # a refusal: what it leaves is for the checks
                await getattr(self, f"_{name}")(value)
        await self._settle(0)
        await self.check()
        return True

    async def _submit(self, pick: int) -> None:
        code = f"{self.number}-{len(self.codes)}"
        session = await self.fleet.ready(f'(port.ensure :code "{code}")')
        intent = intents.SubmitSheet(confirm=True, priority=pick % 3)
        execution, _ = await self.fleet.engine.execute(Envelope("anna", "ExecuteSheet", session), intent)
        self.codes[execution] = code

    async def _begin(self, _: int) -> None:
        await self.fleet.engine._executor._step()

    async def _settle(self, _: int) -> None:
        running = self.fleet.engine._executor._running
        if running:
            await asyncio.wait(set(running))

    async def _cancel(self, pick: int) -> None:
        if (execution := self._picked(pick)) is not None:
            await self._ask(execution)

    async def _stop(self, pick: int) -> None:
        """Whoever is next is begun, and cancelled wherever it has come to by then."""
        await self._begin(pick)
        for _ in range(pick**3):
            await asyncio.sleep(0)
        for execution in list(self.fleet.engine._executor._attempts)[:1]:
            await self._ask(execution)

    async def _ask(self, execution: str) -> None:
        before = await self.fleet.row(execution)
        answer = await cancel(self.fleet, execution)
        if answer.outcome in ("CANCELLED_BEFORE_START", "CANCEL_REQUESTED"):
            assert not before.state.terminal
            self.promised[execution] = {"CANCELLED"}
        if answer.outcome == "CANCEL_REQUESTED":  # a crash may come before it is written
            self.promised[execution] |= {"INTERRUPTED"}
        if answer.outcome == "ALREADY_FINISHED":
            assert answer.execution.state.terminal

    async def _fail(self, pick: int) -> None:
        """The next attempt has trouble, at once or when there is one."""
        method, makers = _TROUBLES[pick]
        self.fleet.trouble.give(method, *makers)
        await self._begin(pick)

    async def _late(self, pick: int) -> None:
        """A receipt of an attempt that is over, or of none."""
        execution = self._picked(pick)
        if execution is None or self.fleet.engine._executor._running:
            return
        row = await self.fleet.engine.store.execution(execution)
        running = msgspec.structs.replace(row, state=ExecutionState.RUNNING, started_at=self.hands.at)
        for epoch in (row.epoch, max(0, row.epoch - 1)):
            stale = msgspec.structs.replace(running, epoch=epoch)
            late = endings.finish(stale, ExecutionState.FAILED, self.hands.at)
            assert await self.fleet.engine._executor._runner.end(stale, late) == row

    async def _mode(self, pick: int) -> None:
        mode = [*QueueMode, *[QueueMode.RUNNING] * 4][pick]
        await self.fleet.engine.queue.change(Envelope("olga", "PauseQueue"), mode, lambda row: row.mode.encode())

    async def _go(self, pick: int) -> None:
        self.hands.go(_SECONDS[pick])

    async def _jump(self, pick: int) -> None:
        self.hands.jump(3600 if pick % 2 else -3600)

    async def _replay(self, pick: int) -> None:
        if (execution := self._picked(pick)) is not None:
            again = await replay(self.fleet, execution)
            self.codes[again] = self.codes[execution]

    def _picked(self, pick: int) -> str | None:
        known = list(self.codes)
        return known[pick % len(known)] if known else None

    async def check(self) -> None:
        """C-I1 to C-I5, of every execution there is."""
        listed = await self.fleet.engine.list_executions(ExecutionFilter(), 1000, None)
        stats = await self.fleet.engine.queue.stats()
        assert sum(stats.states.values()) == len(listed)  # C-I4
        assert stats.states == {state: Counter(row.state for row in listed)[state] for state in ExecutionState}
        made = set(self.fleet.rows("SELECT code FROM ports"))
        succeeded = set()
        for row in listed:
            if row.id in self.codes:
                await self._check_one(row, made)
            if row.state is ExecutionState.SUCCEEDED:
                succeeded.add(self.codes.get(row.id, ""))
        mine = {code for code in made if code.startswith(f"{self.number}-")}
        assert mine == {code for code in succeeded if code}  # C-I2: nothing that did not succeed is visible

    async def _check_one(self, row: ExecutionRow, made: set[str]) -> None:
        receipts = await self.fleet.receipts(row.id)
        outcomes = [receipt.outcome.value for receipt in receipts]
        over = row.epoch if row.state is not ExecutionState.RUNNING else row.epoch - 1
        assert [receipt.epoch for receipt in receipts] == list(range(1, over + 1))  # C-I1
        assert not set(outcomes[:-1]) & _ENDED
        if row.state.terminal and row.started_at is not None:
            assert outcomes[-1] == row.state.value
        else:
            assert not set(outcomes) & _ENDED
        ended = await self.fleet.engine.list_events(row.session_id, 0, 1000, ["ExecutionFinished"])
        told = [one for one in ended if one.event.execution_id == row.id]  # type: ignore[union-attr]  # of that type
        assert len(told) == row.state.terminal
        if row.state is ExecutionState.SUCCEEDED:  # C-I3
            assert self.codes[row.id] in made
            assert receipts[-1].tables == row.tables
            assert sum(one.created for one in row.tables) == 1
        assert row.state.value in self.promised.get(row.id, set(ExecutionState))
        assert row.retry_count == outcomes.count("RETRIED")  # C-I5
        assert row.deferral_count >= outcomes.count("DEFERRED")


def _explore(path: Place, examples: int, phases: list[Phase]) -> None:
    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=phases
    )
    @given(st.lists(STEPS, min_size=15, max_size=40))
    def explore(steps: list[tuple[str, int]]) -> None:
        asyncio.run(Walk(path).take(steps))

    explore()


def test_invariants_hold_under_random_interleavings(path: Place) -> None:
    """C-I1 to C-I5."""
    if isinstance(path, Path):
        _explore(path, 25, list(Phase))
    else:  # a walk that fails is shown as it is: making it shorter takes a server minutes
        _explore(path, 8, [Phase.generate])
