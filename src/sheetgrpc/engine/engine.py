"""The engine as the edge sees it: every call of the service, in its own words, without a word of gRPC.

Changing calls go through the one handler (`handling.py`); reads go straight to the store and are shown as views.
"""

from collections.abc import Callable, Sequence

import msgspec
import structlog

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.config import Settings
from sheetgrpc.engine import approving, endings, forking, intents, plan_steps, replaying, sheet_steps, steps, undoing
from sheetgrpc.engine.approving import Approvals
from sheetgrpc.engine.cancelling import Canceller
from sheetgrpc.engine.closing import Closing
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.controlling import QueueKeeper
from sheetgrpc.engine.executor import Executor
from sheetgrpc.engine.expiring import Expiry
from sheetgrpc.engine.handling import Handler, Step
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.engine.names import Names
from sheetgrpc.engine.pace import Pace
from sheetgrpc.engine.reading import SheetReader
from sheetgrpc.engine.replica import Replica
from sheetgrpc.engine.runs import Run
from sheetgrpc.engine.sweeping import Sweeper
from sheetgrpc.engine.tasks import Tasks
from sheetgrpc.engine.tokens import read_token
from sheetgrpc.engine.views import CancelView, Outcome, Reply, ResultView, SessionView
from sheetgrpc.engine.watcher import Watcher
from sheetgrpc.engine.watching import SessionWatcher
from sheetgrpc.errors import NotAllowed, Reason, invalid_field
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.session import commands
from sheetgrpc.store.base import Store
from sheetgrpc.store.packing import EffectFilter
from sheetgrpc.store.queue import ReceiptRow
from sheetgrpc.store.records import (
    Candidate,
    EventRow,
    ExecutionFilter,
    ExecutionRow,
    SessionFilter,
    SessionRow,
    SymbolRow,
)
from sheetgrpc.trust.model import TrustedModule

log = structlog.get_logger(__name__)


class Engine:
    """The service, as functions: those about sheets, the queue, approvals, tasks are under these names."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._expiry = Expiry(context.store, context.draws, context.lifetimes, context.topics.publish)
        self.sweeper = Sweeper(
            context.store,
            context.draws,
            context.lifetimes,
            context.presence,
            self._expiry,
            interval=context.settings.sweep_interval,
            max_events=context.settings.max_session_events,
        )
        self._handler = Handler(
            context.store,
            context.draws,
            context.catalog.digest,
            context.settings.request_id_ttl_us,
            context.topics.publish,
            self._expiry,
        )
        self._replica = Replica(context)
        self._executor = Executor(context, self._replica.ownership)
        self._canceller = Canceller(context, self._expiry)
        self._closing = Closing()
        self.queue = QueueKeeper(context, self._handler)
        self.sheets = SheetReader(context)
        self.approvals = Approvals(context)
        self.tasks = Tasks(context, self._handler, self._expiry, self._find)

    @property
    def catalog(self) -> Catalog:
        """The catalog served."""
        return self._context.catalog

    @property
    def store(self) -> Store:
        """The database."""
        return self._context.store

    @property
    def trusted_modules(self) -> tuple[TrustedModule, ...]:
        """The modules that the catalog's call verbs run."""
        return self._context.handlers.trusted

    @property
    def replica(self) -> str:
        """This server's name among those that share the database; "" where there are no others."""
        return self._replica.ownership.replica

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._context.settings

    @property
    def pace(self) -> Pace:
        """Who goes first on the loop."""
        return self._context.topics.pace

    async def start(self) -> None:
        """Recovers what a crash left, then begins to run what is queued."""
        await self._executor.recover()
        if self.settings.start_paused:
            await self.queue.hold()
        await self._replica.start()
        self._executor.start()
        self.sweeper.start()
        await self._context.analyst.warm()

    async def stop(self, grace: float | None = None) -> None:
        """Lets commands and the run under way end, then closes the store. Queued executions stay queued.

        A run that has not ended after `grace` seconds is rolled back, and what waits for the database a moment later
        broken off; without it there is no hurry.
        """
        self._closing.begin(grace)
        finish = self._closing.finish
        try:
            await finish(self._handler.settle(), self._executor.stop(grace), self.sweeper.stop())
            await finish(self._canceller.settle())
            await finish(self._context.replies.close())
            await finish(self._replica.stop())
            await finish(self._context.analyst.close())
        finally:
            await finish(self._context.store.close())

    def drain(self) -> None:
        """Begins no more runs, which are for the next server, and no more sweeps."""
        self._executor.drain()
        self.sweeper.drain()

    def hurry(self) -> None:
        """Rolls the run under way back, if it does not commit already; a stop takes no longer than it must."""
        self._executor.halt()
        self._closing.hurry()

    async def handle(self, envelope: Envelope, intent: Intent, encode: Callable[[Outcome], bytes]) -> Reply:
        """A changing call: its answer, encoded inside its transaction, and the same one for a repeat."""
        return await self._handler.handle(envelope, lambda: self._step(intent, envelope.caller), encode)

    async def execute(self, envelope: Envelope, intent: intents.SubmitSheet) -> tuple[str, Reply]:
        """Submits for a stream: the execution to attach to. A repeat with the same request id gets the same one."""
        reply = await self.handle(envelope, intent, _execution_id)
        return reply.body.decode(), reply

    async def cancel(
        self, envelope: Envelope, intent: intents.CancelExecution, encode: Callable[[CancelView], bytes]
    ) -> Reply:
        """Cancels an execution, wherever it is on its way."""
        return await self._canceller.cancel(envelope, intent, encode)

    async def get_session(self, ref: str, owner: str | None = None) -> SessionView:
        """By id, unique prefix, or label; NotFound where it is not this owner's. None, here and below: whoever's."""
        row = await self._context.store.session(ref, owner)
        now = self._context.lifetimes.observe()
        view = self._context.view(row)
        if view.expires_at is None or now < view.expires_at:
            return view
        return self._context.view(await self._handler.shielded(self._expiry.settle_if_possible(row)))

    async def list_sessions(
        self, wanted: SessionFilter, limit: int, before: tuple[int, str] | None
    ) -> list[SessionView]:
        """Newest created first."""
        return [self._context.view(row) for row in await self._context.store.sessions(wanted, limit, before)]

    async def list_events(
        self, session: str, after: int, limit: int, types: Sequence[str], owner: str | None = None
    ) -> list[EventRow]:
        """The session's events with a sequence beyond `after`, in order; of these types, if any are given."""
        row = await self._context.store.session(session, owner)
        return await self._context.store.events(row.session.id, after, limit, types)

    async def watch_session(
        self, session: str, after: int, incarnation: str = "", owner: str | None = None
    ) -> SessionWatcher:
        """A stream's place in a session's log, after this sequence of the store's `incarnation` ("": of any).

        Begins with a reset where that is not in the log, or is of another store's.
        """
        row = await self._find(session, owner)
        return SessionWatcher(
            self._context.store,
            self._context.topics,
            row,
            after,
            heartbeat=self.settings.heartbeat_interval,
            view=self._context.view,
            lost=incarnation not in ("", self._context.store.about.incarnation),
        )

    async def list_symbols(self, session: str, after: str, limit: int, owner: str | None = None) -> list[SymbolRow]:
        """The session's committed symbols, by name."""
        row = await self._context.store.session(session, owner)
        if not row.session.committed:
            return []
        return await self._context.store.symbols(row.session.committed, None, after, limit)

    async def get_execution(self, execution_id: str, owner: str | None = None) -> ExecutionRow:
        """An execution; live where it runs here."""
        return self._context.runs.overlay(await self._context.store.execution(execution_id, owner))

    async def list_executions(
        self, wanted: ExecutionFilter, limit: int, before: tuple[int, str] | None
    ) -> list[ExecutionRow]:
        """Newest submitted first; live where they run here. The session of the filter is named as in any call."""
        if wanted.session_id:
            named = await self._context.store.session(wanted.session_id, wanted.owner)
            wanted = msgspec.structs.replace(wanted, session_id=named.session.id)
        return [self._context.runs.overlay(row) for row in await self._context.store.executions(wanted, limit, before)]

    async def list_results(
        self, execution_id: str, after: int, limit: int, statuses: Sequence[int], owner: str | None = None
    ) -> list[ResultView]:
        """The final results, by statement."""
        return await self.sheets.results(execution_id, after, limit, statuses, owner)

    async def list_effects(
        self, execution_id: str, after: int, limit: int, wanted: EffectFilter, owner: str | None = None
    ) -> list[tuple[int, RowEffect]]:
        """What the statements did to rows, or would have done, beyond position `after`."""
        execution = await self._context.store.execution(execution_id, owner)
        return await self._context.store.effects(execution, after, limit, wanted)

    async def refuse_stale(self, execution_id: str) -> None:
        """Raises NotAllowed(PLAN_STALE) if an execution ended so: who waited for it is refused, not answered."""
        execution = await self._context.store.execution(execution_id)
        if endings.is_stale(execution) and execution.error is not None:
            more = {"execution": execution_id, "planDigest": execution.plan_digest}
            raise NotAllowed(Reason.PLAN_STALE, execution.error.message, metadata=more)

    async def list_receipts(
        self, execution_id: str, after: int, limit: int, owner: str | None = None
    ) -> list[ReceiptRow]:
        """What became of an execution's attempts, by epoch beyond `after`."""
        execution = await self._context.store.execution(execution_id, owner)
        return await self._context.store.receipts(execution.id, after, limit)

    @property
    def slots(self) -> int:
        """The most executions that run at once."""
        return self._executor.slots

    async def search_entities(self, entity_type: str, query: str, limit: int) -> list[Candidate]:
        """Rows that a name may mean, best first."""
        entity = self.catalog.entities.get(entity_type)
        if entity is None:
            raise invalid_field("entity_type", f'"{entity_type}" is none of {", ".join(sorted(self.catalog.entities))}')
        return await Names(self._context).search(entity, query, limit)

    async def watch(
        self,
        execution_id: str,
        token: str,
        include_results: bool,
        *,
        from_start: bool = False,  # the wire's field
        owner: str | None = None,
    ) -> Watcher:
        """A stream's place in an execution. `from_start`: the submit's own stream, which gets the first update too."""
        execution = await self._context.store.execution(execution_id, owner)
        run = self._context.runs.get(execution.id)
        if run is None:
            execution, run = await self._find_run(execution)
        position = None
        if run is not None:
            position = read_token(token, execution.id, run.execution.epoch) if token else None
            if position is not None and not run.holds(position):
                position = None
        return Watcher(
            run,
            execution if run is None else None,
            position,
            results=include_results,
            heartbeat=self.settings.heartbeat_interval,
            from_start=from_start,
        )

    async def _find_run(self, execution: ExecutionRow) -> tuple[ExecutionRow, Run | None]:
        """It was not running when it was asked: it has ended, or the command that queues it has not come so far."""
        store, runs = self._context.store, self._context.runs
        execution = await store.execution(execution.id)
        if execution.state.terminal:
            return execution, None
        run = runs.adopt(execution)
        execution = await store.execution(execution.id)
        if execution.state.terminal:  # it ended before it was adopted: nobody would tell this run
            if not runs.shared:
                runs.remove(execution.id)
            return execution, None
        return execution, run

    async def _find(self, ref: str, owner: str | None) -> SessionRow:
        """A session to be shown, expired if its time has run out."""
        row = await self._context.store.session(ref, owner)
        return await self._handler.shielded(self._expiry.settle_if_possible(row)) if self._expiry.due(row) else row

    def _step(self, intent: Intent, caller: str) -> Step:
        context = self._context
        match intent:  # cases are tried in turn: first the small steps, of which that would be a part
            case intents.RenewSession():
                return steps.Simple(context, commands.RenewSession())
            case intents.LabelSession():
                return steps.LabelSession(context, intent)
            case intents.AppendSessionEvents():
                return steps.AppendSessionEvents(context, intent)
            case intents.UpdateSession():
                return steps.Simple(
                    context,
                    commands.UpdateSession(
                        name=intent.name,
                        role=intent.role,
                        task_id=intent.task_id,
                        metadata=None if intent.metadata is None else dict(intent.metadata),
                    ),
                )
            case intents.CreateSession():
                return steps.CreateSession(context, intent, caller)
            case intents.SetScope():
                return steps.SetScope(context, intent)
            case intents.ClearScope():
                return steps.Simple(context, commands.ClearScope())
            case intents.SetTemplate():
                return steps.SetTemplate(context, intent)
            case intents.ConfirmIntent():
                return steps.Simple(context, commands.ConfirmIntent())
            case intents.GenerateSheet():
                return sheet_steps.GenerateSheet(context)
            case intents.ImportSheet():
                return sheet_steps.ImportSheet(context, intent)
            case intents.ParseSheet():
                return sheet_steps.ParseSheet(context)
            case intents.ResolveReference():
                return sheet_steps.ResolveReference(context, intent)
            case intents.SubmitSheet() | intents.RequestApproval() | intents.DecideApproval():
                return approving.step(context, intent, caller)
            case intents.PlanSheet() | intents.CloseSession():
                return plan_steps.step(context, intent, caller)
            case intents.ReplayExecution():
                return replaying.ReplayExecution(context, intent, caller)
            case intents.ResetSession():
                return steps.ResetSession(context, commands.ResetSession(to=intent.to))
            case intents.UndoSession():
                return undoing.UndoSession(context)
            case intents.RedoSession():
                return undoing.RedoSession(context)
            case intents.ForkSession():
                return forking.ForkSession(context, intent, caller)


def _creation(intent: intents.CreateSession) -> commands.CreateSession:
    return commands.CreateSession(
        name=intent.name,
        client=intent.client,
        role=intent.role,
        task_id=intent.task_id,
        metadata=dict(intent.metadata),
        labels=intent.labels,
        lease=intent.lease,
    )


def _execution_id(outcome: Outcome) -> bytes:
    if outcome.execution is None:
        raise RuntimeError("a submit makes an execution")
    return outcome.execution.id.encode()
