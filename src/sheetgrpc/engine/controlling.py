"""What an operator asks of the queue: how it stands, in figures, and that it pauses or goes on.

The mode is the store's, so that it holds for every server of the database and over restarts.
"""

from collections import Counter
from collections.abc import Callable

import msgspec
import structlog

from sheetgrpc.engine.breakers import BreakerView
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.handling import Handler, replay
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.engine.views import Reply
from sheetgrpc.errors import invalid_field
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.queue import QueueChange, QueueCounts, QueueMode, QueueRow
from sheetgrpc.store.records import ExecutionFilter, RequestKey, StoredReply

log = structlog.get_logger(__name__)

_SERVER = "serve --start-paused"
_RUNNING = frozenset({ExecutionState.RUNNING, ExecutionState.CANCELLING, ExecutionState.COMMITTING})
_ROWS = 1000  # of what runs; there are no more slots than that


class QueueStats(msgspec.Struct, frozen=True):
    """The queue in figures; `states` with what this process knows better of its own runs, `now` is when.

    `breakers` are this process's.
    """

    queue: QueueRow
    states: dict[ExecutionState, int]
    counts: QueueCounts
    running: int
    now: int
    breakers: list[BreakerView]


class QueueKeeper:
    """Reads and changes how the queue stands."""

    def __init__(self, context: Context, handler: Handler) -> None:
        self._context = context
        self._handler = handler

    async def change(
        self, envelope: Envelope, mode: QueueMode, encode: Callable[[QueueRow], bytes], module: str = ""
    ) -> Reply:
        """The answer to a pause or a resume, of the queue or, in this process, of one module that call verbs run.

        A caller that goes away has asked all the same. Raises InvalidRequest for a module that none runs, Unavailable.
        """
        if module and module not in self._context.breakers:
            raise invalid_field("module", f'no call verb runs "{module}"; GetServerInfo lists the modules that they do')
        return await self._handler.once(envelope, lambda key: self._change(envelope, key, mode, encode, module))

    async def hold(self) -> None:
        """Holds the queue at start, unless it is paused already."""
        async with self._context.store.begin() as transaction:
            await transaction.open(None, None)
            if (await self._context.store.queue()).mode is QueueMode.RUNNING:
                queue = QueueRow(QueueMode.HOLD, _SERVER, self._context.draws.now())
                await transaction.commit(QueueChange(queue))

    async def stats(self) -> QueueStats:
        """The figures."""
        store = self._context.store
        queue, counts = await store.queue(), await store.queue_counts()
        states = {state: counts.states.get(state.value, 0) for state in ExecutionState}
        shown = await self._running_as_shown()
        for state in (ExecutionState.CANCELLING, ExecutionState.COMMITTING):
            moved = min(shown[state], states[ExecutionState.RUNNING])  # what has ended since is counted as that
            states[state] += moved
            states[ExecutionState.RUNNING] -= moved
        here = (run.live.state for run in self._context.runs.all() if run.here)
        running = sum(state in _RUNNING for state in here)
        return QueueStats(queue, states, counts, running, self._context.draws.now(), self._context.breakers.all())

    async def _running_as_shown(self) -> Counter[ExecutionState]:
        """What is stored as RUNNING, on whatever server, by the state that lists show."""
        running = ExecutionFilter(states=(ExecutionState.RUNNING.value,))
        rows = await self._context.store.executions(running, _ROWS, None)
        return Counter(self._context.runs.overlay(row).state for row in rows)

    async def _change(
        self,
        envelope: Envelope,
        key: RequestKey | None,
        mode: QueueMode,
        encode: Callable[[QueueRow], bytes],
        module: str,
    ) -> Reply:
        store = self._context.store
        async with store.begin() as transaction:
            opened = await transaction.open(None, key)
            if opened.reply is not None:
                return replay(opened.reply, envelope)
            now = self._context.draws.now()
            queue = await store.queue()
            if queue.mode is not mode and not module:
                queue = QueueRow(mode, envelope.caller, now)
            body = encode(queue)
            expires = now + self._context.settings.request_id_ttl_us
            reply = StoredReply(key, envelope.fingerprint, body, "", expires) if key is not None else None
            await transaction.commit(QueueChange(queue, reply))
        if module:
            self._turn(module, envelope.caller, closes=mode.claims)
        else:
            log.info("queue.changed", mode=mode.value, by=envelope.caller)
        self._context.runs.wake()
        return Reply(body, reply, replayed=False)

    def _turn(self, module: str, caller: str, *, closes: bool) -> None:
        if closes:
            self._context.breakers.resume(module)
        else:
            self._context.breakers.pause(module, caller)
