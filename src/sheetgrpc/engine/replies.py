"""Answers that are given before they can be written, because a run has the one writer: those of cancels.

Such an answer is kept here, and repeated from here, until the run's last transaction writes it with the outcome; what
comes later than that is written behind, once the writer is free. Should the process die before, nothing of the answer
is left, and a repeat is told the truth of its own moment: the run is INTERRUPTED then, and a cancel ALREADY_FINISHED.
"""

import asyncio
from contextlib import suppress

import structlog

from sheetgrpc.errors import SheetError, Unavailable
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Changes, RequestKey, StoredReply

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.5


class Replies:
    """The answers on their way to the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[RequestKey, StoredReply] = {}
        self._behind: dict[RequestKey, StoredReply] = {}  # those that no run writes any more
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def find(self, key: RequestKey) -> StoredReply | None:
        """The answer of a request id, if it is here."""
        return self._kept.get(key)

    def keep(self, reply: StoredReply) -> None:
        """An answer that is given now."""
        self._kept[reply.key] = reply

    def of(self, execution_id: str) -> tuple[StoredReply, ...]:
        """The answers about an execution, for the transaction that ends it."""
        return tuple(reply for reply in self._kept.values() if reply.execution_id == execution_id)

    def forget(self, replies: tuple[StoredReply, ...]) -> None:
        """These are in the database."""
        for reply in replies:
            self._kept.pop(reply.key, None)

    def settle(self, execution_id: str) -> None:
        """The execution is over: what is left of it is written behind."""
        self._behind.update({reply.key: reply for reply in self.of(execution_id)})
        if self._behind and self._writing is None:
            self._writing = asyncio.create_task(self._write_behind(), name="replies")

    async def written(self, seconds: float) -> None:
        """Waits until all of that is in the database, at most so long."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=seconds)

    async def close(self) -> None:
        """Writes what can be written now; what cannot is given up."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _write_behind(self) -> None:
        while self._behind:
            reply = next(iter(self._behind.values()))
            try:
                await self._write(reply)
            except Unavailable:
                if self._closing.is_set():
                    break
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RETRY_SECONDS):
                        await self._closing.wait()
                continue
            except SheetError as error:
                log.warning("reply.lost", execution=reply.execution_id, reason=error.reason.value)
            except Exception:  # one reply must not keep the others from being written
                log.exception("reply.lost", execution=reply.execution_id)
            del self._behind[reply.key]
            self.forget((reply,))
        self._writing = None

    async def _write(self, reply: StoredReply) -> None:
        async with self._store.begin() as transaction:
            opened = await transaction.open(reply.session_id, reply.key)
            if opened.row is not None and opened.reply is None:
                await transaction.commit(Changes(session=opened.row.session, events=(), reply=reply))
