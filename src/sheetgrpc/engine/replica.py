"""This server among those that share its database: what it keeps, takes over and follows, and the hints between them.

Where the database is this process's alone, nothing of it runs. A hint is a letter and what it is about:
"s:SESSION:VERSION" a log has grown, "x:EXECUTION" a run has ended, "c:EXECUTION" a run is to stop, "q" something is
queued. All of them only say when to look.
"""

import asyncio

import structlog

from sheetgrpc.engine import endless
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.following import Follower
from sheetgrpc.engine.ownership import Ownership
from sheetgrpc.engine.takeover import Takeover
from sheetgrpc.errors import SheetError
from sheetgrpc.store.leases import Leases

log = structlog.get_logger(__name__)


class Replica:
    """From `start` to `stop`."""

    def __init__(self, context: Context) -> None:
        leases, settings = context.store.leases, context.settings
        self.ownership = Ownership(leases, context.runs, settings.replica_lease)
        self._leases = leases
        self._topics = context.topics
        self._interval = settings.poll_interval
        self._takeover: Takeover | None = None
        self._follower: Follower | None = None
        self._listening: asyncio.Task[None] | None = None
        if leases is not None:
            self._takeover = Takeover(context, self.ownership, leases)
            self._follower = Follower(leases, context.runs, context.topics, settings.poll_interval)
            context.runs.adopted = self._follower.look

    async def start(self) -> None:
        """Ends what is left of servers that died before, and begins to look at what the others do."""
        if self._leases is None or self._takeover is None or self._follower is None:
            return
        await self._takeover.sweep()
        self.ownership.start()
        self._takeover.start()
        self._takeover.look()
        self._follower.start()
        self._listening = asyncio.create_task(self._listen(self._leases), name="listening")

    async def stop(self) -> None:
        """Leaves the others alone; they learn the end of the last run first."""
        await self.ownership.stop()
        if self._takeover is None or self._follower is None:
            return
        await self._takeover.stop()
        await self._follower.stop()
        if self._listening is not None:
            await endless.end(self._listening)

    async def _listen(self, leases: Leases) -> None:
        while True:
            try:
                await leases.listen(self._hear)
            except SheetError as error:
                log.info("hints.lost", reason=error.reason.value)
            except Exception:
                log.exception("hints.lost")
            await asyncio.sleep(self._interval)

    def _hear(self, hint: str) -> None:
        assert self._takeover is not None
        assert self._follower is not None
        match hint.split(":"):
            case ["s", session_id, version] if version.isdecimal():
                self._topics.hint(session_id, int(version))
            case ["x", execution_id]:
                self._follower.look(execution_id)
            case ["c", execution_id] if self.ownership.owns(execution_id):
                self.ownership.look()
            case ["q"]:
                self._takeover.look()
            case _:
                pass  # of a newer server
