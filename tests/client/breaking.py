"""A line between client and server that can be cut at the worst moment: when the answer is on its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_HEADERS = 1  # the type of the HTTP/2 frame that begins an answer; a unary call's comes once it is committed
_FRAME_HEAD = 9


@dataclass
class Line:
    """A proxy at `address`. The next `cuts` answers are lost, and their connections with them."""

    address: str = ""
    cuts: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        """One connection, until either side, or the line itself, ends it."""
        answers, requests = await asyncio.open_connection(host, port)
        tasks = [asyncio.create_task(_copy(reader, requests)), asyncio.create_task(self._answer(answers, writer))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            requests.close()
            writer.close()

    async def _answer(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await answers.readexactly(_FRAME_HEAD)
            body = await answers.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == _HEADERS and self.cuts:
                self.cuts -= 1
                return
            writer.write(head + body)


@asynccontextmanager
async def breaking(server: str) -> AsyncIterator[Line]:
    """A line to the server at `server`."""
    host, port = server.rsplit(":", 1)
    line, open_ones = Line(), set[asyncio.Task[None]]()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        await line.serve(reader, writer, host, int(port))

    listening = await asyncio.start_server(take, "127.0.0.1", 0)
    line.address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield line
    finally:
        listening.close()
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
