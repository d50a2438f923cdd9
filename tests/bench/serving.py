"""The bench's servers, as processes: ours with a probe of its event loop, and a bare grpc.aio one beside it.

`python -m tests.bench.serving ours DATABASE CATALOG` or `... bare BYTES LOOP [FILE]`, where LOOP is `asyncio`, for its
own, or `ours`; a bare one with a file also commits three rows to it a call. Each prints its address, then answers
commands on stdin, a line each: `stall` (longest stall in ms since asked last), `memory` (peak MiB of server and worker
since asked last), `hold` (executions stay queued from now on), `publish EXECUTION` (one update to its watchers).
"""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import structlog

from sheetgrpc.config import Settings
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.engine.updates import Progress
from sheetgrpc.server.app import Server, new_loop

_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 100_000),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_concurrent_streams", 1000),
]
_TABLES = ("events", "sessions", "replies")


class Probe:
    """Sleeps a millisecond at a time and remembers the longest it slept too long."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - before - 0.001)

    def read(self) -> str:
        longest, self.longest = self.longest, 0.0
        return f"{longest * 1000:.2f}"


def peak_memory() -> str:
    """Peak resident MiB of this process and its children, by process; the peak is set back to the present."""
    pids = ["self"]
    with contextlib.suppress(subprocess.CalledProcessError):
        me = Path("/proc/self/stat").read_text().split()[0]
        pids += Path(f"/proc/{me}/task/{me}/children").read_text().split()
    total = 0
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(status.split("VmHWM:")[1].split()[0])
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")
    return f"{total / 1024:.2f}"


async def commands() -> AsyncIterator[list[str]]:
    """Lines of stdin, split."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()


def say(text: str) -> None:
    print(text, flush=True)


async def serve_ours(database: str, catalog: str) -> None:
    structlog.configure(processors=[_drop])
    engine = await open_engine(Settings(listen="127.0.0.1:0", database=database, catalog=catalog, log_format="json"))
    server = Server(engine)
    await server.start()
    structlog.configure(processors=[_drop])
    probe = Probe()
    watching: asyncio.Task[None] | None = None
    say(server.address)
    published = 0
    async for words in commands():
        match words:
            case ["stall"]:  # from the first time on: waking every millisecond would cost the rows that do not ask
                watching = watching or asyncio.create_task(probe.watch())
                say(probe.read())
            case ["memory"]:
                say(peak_memory())
            case ["hold"]:
                await engine._executor.stop()
                say("held")
            case ["publish", execution_id]:
                run = engine._context.runs.get(execution_id)
                assert run is not None
                published += 1
                run.publish(Progress(published, 1_000_000))
    if watching is not None:
        watching.cancel()
    await server.stop()


def _drop(*_: object) -> str:
    raise structlog.DropEvent


class Bare:
    """Echo and fan-out with nothing behind them."""

    def __init__(self, body: bytes, file: str = "") -> None:
        self.body = body
        self._database = _open_rows(file) if file else None
        self._thread = ThreadPoolExecutor(1)
        self._published = 0
        self._changed = asyncio.get_running_loop().create_future()

    async def echo(self, _request: bytes, _context: object) -> bytes:
        return self.body

    async def commit(self, _request: bytes, _context: object) -> bytes:
        """One thread has the database, as whoever keeps the loop free must have it; no more steps than that."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._insert)
        return self.body

    def _insert(self) -> None:
        assert self._database is not None
        self._database.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            self._database.execute(f"INSERT INTO {table} (body) VALUES (?)", (self.body,))
        self._database.execute("COMMIT")

    async def watch(self, _request: bytes, context: grpc.aio.ServicerContext) -> None:  # type: ignore[type-arg]
        seen = self._published
        await context.write(self.body)
        while True:
            if seen == self._published:
                await asyncio.shield(self._changed)
            seen += 1
            await context.write(self.body)

    def publish(self) -> None:
        self._published += 1
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)


def _open_rows(file: str) -> sqlite3.Connection:
    """Set up as the service's writer."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for table in _TABLES:
        connection.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY, body blob NOT NULL)")
    return connection


async def serve_bare(size: int, file: str = "") -> None:
    server = grpc.aio.server(options=_OPTIONS)
    bare = Bare(b"x" * size, file)
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(bare.echo),
        "Commit": grpc.unary_unary_rpc_method_handler(bare.commit),
        "Watch": grpc.unary_stream_rpc_method_handler(bare.watch),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Bare", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    say(f"127.0.0.1:{port}")
    async for words in commands():
        if words[0] == "publish":
            bare.publish()
    await server.stop(None)


if __name__ == "__main__":
    if sys.argv[1] == "ours":
        serving, factory = serve_ours(sys.argv[2], sys.argv[3]), new_loop
    else:
        serving = serve_bare(int(sys.argv[2]), *sys.argv[4:])
        factory = new_loop if sys.argv[3] == "ours" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serving)
