"""A way to a PostgreSQL that can be cut, blocked, led elsewhere, or held at a chosen word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

_CHUNK = 1 << 16


class Proxy:
    """Takes connections at a port of 127.0.0.1 and passes them on to a socket."""

    def __init__(self, target: str) -> None:
        """`target` is the path of the server's socket."""
        self.target = target
        self.port = 0
        self.held = asyncio.Event()  # set when the word came by
        self._open = asyncio.Event()  # unset: nothing is passed on, and nobody is told
        self._open.set()
        self._words: tuple[bytes, ...] = ()
        self._passes = False
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, database: str) -> str:
        """A database by way of this."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{quote(database)}"

    def hold(self, *words: bytes, passes: bool) -> None:
        """Blocks at the first connection that says these, one after the other.

        `passes`: once the server has heard the last, and before it answers; else before it hears it.
        """
        self.held.clear()
        self._words, self._passes = words, passes

    def block(self) -> None:
        """From now on nothing is passed on, in either direction."""
        self._open.clear()

    def let_go(self) -> None:
        """Everything is passed on again, what was held back first."""
        self._words = ()
        self._open.set()

    def lead(self, target: str) -> None:
        """New connections go there; where nothing listens, they are broken at once."""
        self.target = target

    def cut(self) -> None:
        """Breaks every connection; new ones are taken."""
        for link in self._links:
            for writer in link:
                writer.transport.abort()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, to its end."""
        try:
            far_reader, far = await asyncio.open_unix_connection(self.target)
        except OSError:
            writer.transport.abort()
            return
        link = writer, far
        self._links.add(link)
        passing = [
            asyncio.create_task(self._pass(reader, far, hears=True)),
            asyncio.create_task(self._pass(far_reader, writer)),
        ]
        self._tasks.update(passing)
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            for task in passing:
                task.cancel()
                self._tasks.discard(task)
            for one in link:
                one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hears: bool = False) -> None:
        said: list[bytes] = []
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if hears and self._is_to_hold(said, data):
                    self.block()
                    if self._passes:
                        writer.write(data)
                        await writer.drain()
                        data = b""
                    self.held.set()
                await self._open.wait()
                if data:
                    writer.write(data)
                    await writer.drain()

    def _is_to_hold(self, said: list[bytes], data: bytes) -> bool:
        """True where a connection says the last of the words; `said` are those that it said before."""
        if said != list(self._words[: len(said)]):
            said.clear()  # of another time
        while len(said) < len(self._words) and self._words[len(said)] in data:
            said.append(self._words[len(said)])
        if not said or len(said) < len(self._words):
            return False
        self._words = ()
        return True


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Proxy]:
    """A proxy that listens."""
    one = Proxy(target)
    server = await asyncio.start_server(one.take, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        one.cut()
        for task in list(one._tasks):
            task.cancel()
        await server.wait_closed()
