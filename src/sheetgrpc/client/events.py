"""The events of a session as one async iterator that outlives the connections they are read over.

A watch that breaks or falls silent is opened again after the last sequence it was told, so every event comes once and
in order. Where the server's log does not go on from there (its front was trimmed, a backup was restored), a Reset comes
instead: the session as it is. A watch ends after the last event of a session that has ended.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol, Self

import grpc

from sheetgrpc.client.calls import asked_for, closed
from sheetgrpc.client.errors import SheetgrpcError, Unavailable, read_error
from sheetgrpc.client.retry import Retry
from sheetgrpc.v1.session_service_pb2 import Reset, SessionEvent, WatchSessionResponse


class WatchCall(Protocol):
    """What is used of a grpc.aio.UnaryStreamCall."""

    async def read(self) -> object:
        """The next message, or something else at the end."""

    def cancel(self) -> bool:
        """End the call."""


class SessionEvents(AsyncIterator[SessionEvent | Reset]):
    """Events of one session, and resets. Use it as `async with`, or read it to its end: then its call is closed."""

    def __init__(
        self,
        watch: Callable[[int, str], WatchCall],
        *,
        after_sequence: int,
        incarnation: str = "",
        retry: Retry,
        silence: float,
    ) -> None:
        """`watch` opens a call after a sequence of a store's incarnation; `silence` is in seconds."""
        self.sequence = after_sequence
        """Sequence up to which every event was told: where another watch may go on, in another process too."""
        self._watch = watch
        self._incarnation = incarnation
        self._retry = retry
        self._silence = silence
        self._call: WatchCall | None = None
        self._failures = 0
        self._over = False

    async def __aenter__(self) -> Self:
        """The events themselves; nothing is sent before the first is asked for."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        self.close()

    def close(self) -> None:
        """Stop watching."""
        self._over = True
        self._drop()

    async def __anext__(self) -> SessionEvent | Reset:
        """The next event or reset, however many connections it takes.

        Raises:
            SheetgrpcError: the server refused, or stayed away.
        """
        while not self._over:
            try:
                message = await self._read()
            except grpc.aio.AioRpcError as refusal:
                await self._pause(read_error(refusal, list(refusal.trailing_metadata() or ())))
                continue
            except TimeoutError:
                await self._pause(Unavailable(f"the watch was silent for {self._silence:g} seconds"))
                continue
            if not isinstance(message, WatchSessionResponse):
                self.close()
                break
            self._failures = 0
            if message.WhichOneof("update") == "bookmark":
                self.sequence = message.bookmark.sequence
            elif message.WhichOneof("update") == "event":
                self.sequence = message.event.sequence
                return message.event
            elif message.WhichOneof("update") == "reset":
                self.sequence = message.reset.sequence
                self._incarnation = ""  # the sequence is of the store that told it
                return message.reset
        raise StopAsyncIteration

    async def _read(self) -> object:
        if self._call is None:
            self._call = self._watch(self.sequence, self._incarnation)
        try:
            async with asyncio.timeout(self._silence):
                return await self._call.read()
        except asyncio.CancelledError:
            if asked_for():
                raise
            self.close()
            raise closed() from None

    async def _pause(self, error: SheetgrpcError) -> None:
        """Waits before the next try; raises the error where there is none."""
        self._drop()
        self._failures += 1
        pause = self._retry.pause(error, self._failures)
        if pause is None:
            self.close()
            raise error
        await self._retry.sleep(pause)

    def _drop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
