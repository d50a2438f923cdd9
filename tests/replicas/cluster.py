"""Several servers as real processes on one PostgreSQL, and a hand in the database that holds up what tests want."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from sheetgrpc.client import Client, Session, connect
from sheetgrpc.client.retry import Retry
from sheetgrpc.v1.execution_pb2 import Execution, ExecutionState

HERE = Path(__file__).parent
YARD = (HERE / "yard.sql").read_text()
LEASE = 1.0  # seconds
SECONDS = 60  # what nothing may take
_FLAGS = {
    "max_running": 1,
    "catalog": HERE / "yard.yaml",
    "replica_lease": f"{LEASE}s",
    "poll_interval": "200ms",
    "writer_timeout": "30s",
    "drain_timeout": "5s",
    "heartbeat_interval": "1s",
}
PATIENT = Retry(attempts=40, first=0.05, longest=0.5)


class Replica:
    """`sheetgrpc serve`, which may be killed, stopped, continued and started again; `address` stays."""

    def __init__(self, url: str, log: Path, *, token: str = "", **flags: object) -> None:
        """`token` is the one that its client sends, where the flags ask for tokens."""
        self.address = ""
        self.name = ""  # as it calls itself
        self._url = url
        self._log = log
        self._token = token
        self._flags = {**_FLAGS, **flags}
        self._process: asyncio.subprocess.Process | None = None
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """A client of this server alone."""
        assert self._client is not None
        return self._client

    async def start(self) -> None:
        """Starts it and waits until it listens."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEETGRPC_")}
        flags = {"database": self._url, "listen": self.address or "127.0.0.1:0", **self._flags}
        arguments = [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "sheetgrpc", "serve", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environ,
            )
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        assert line.startswith("listening on "), self._log.read_text()
        self.address = line.removeprefix("listening on ").strip()
        options = (("grpc.use_local_subchannel_pool", 1),)
        self._client = self._client or connect(self.address, token=self._token, retry=PATIENT, options=options)
        self.name = (await self.client.control.server_info()).replica

    def signal(self, which: signal.Signals) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(which)

    async def kill(self) -> None:
        """SIGKILL: no handler, no farewell."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ensure(self) -> None:
        """Starts it unless it is up, whatever a test that failed has left."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
        else:
            await self.start()

    async def terminate(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.terminate()
        return await self._process.wait()

    async def close(self) -> None:
        """Leaves nothing behind."""
        await self.kill()
        if self._client is not None:
            await self._client.close()


class Cluster:
    """The servers and their database."""

    def __init__(self, url: str, replicas: Sequence[Replica]) -> None:
        self.url = url
        self.replicas = replicas

    @property
    def addresses(self) -> list[str]:
        return [replica.address for replica in self.replicas]

    def named(self, name: str) -> Replica:
        """The server that calls itself so."""
        return next(replica for replica in self.replicas if replica.name == name)

    def other(self, *than: Replica) -> Replica:
        """Any other server."""
        return next(replica for replica in self.replicas if replica not in than)

    async def rows(self, sql: str, *values: object) -> list[Any]:
        """A query of the database; rows of one column as that column's values."""
        connection = await asyncpg.connect(self.url)
        try:
            found = await connection.fetch(sql, *values)
        finally:
            await connection.close()
        return [row[0] if len(row) == 1 else tuple(row) for row in found]


@asynccontextmanager
async def cluster(
    url: str, folder: Path, count: int = 3, *, token: str = "", **flags: object
) -> AsyncIterator[Cluster]:
    """So many servers, started at once."""
    replicas = [Replica(url, folder / f"replica-{number}.log", token=token, **flags) for number in range(count)]
    async with AsyncExitStack() as stack:
        for replica in replicas:
            stack.push_async_callback(replica.close)
        await asyncio.gather(*(replica.start() for replica in replicas))
        yield Cluster(url, replicas)


class Hold:
    """A transaction of another program's that has something locked, until it is let go."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def take(self, sql: str, *values: object) -> None:
        """Locks what the statement locks."""
        self._connection = await asyncpg.connect(self._url)
        await self._connection.execute("BEGIN")
        await self._connection.fetch(sql, *values)

    async def wanted(self) -> None:
        """Waits until somebody waits for it."""
        assert self._connection is not None
        pid = self._connection.get_server_pid()
        sql = "SELECT 1 FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
        looking = await asyncpg.connect(self._url)
        try:
            while not await looking.fetch(sql, pid):
                pass  # each look lets the loop turn
        finally:
            await looking.close()

    async def let_go(self) -> None:
        """Ends it."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


@asynccontextmanager
async def held(url: str, sql: str, *values: object) -> AsyncIterator[Hold]:
    """What the statement locks, for the block or until it is let go within."""
    hold = Hold(url)
    await hold.take(sql, *values)
    try:
        yield hold
    finally:
        await hold.let_go()


CRATES = "LOCK TABLE crates IN SHARE MODE"  # nobody writes crates meanwhile
SESSION = "SELECT 1 FROM sheetgrpc.sessions WHERE id = $1 FOR UPDATE"


def sheet(count: int, name: str = "c") -> str:
    """Twice as many statements in two phases."""
    return "".join(
        f'(crate.create :code "{name}{at}" :as @c{at})(lid.ensure :code "{name}{at}" :crate @c{at})'
        for at in range(count)
    )


async def ready(client: Client, source: str) -> Session:
    """A session whose sheet can be executed."""
    session = await client.sessions.create()
    await session.import_sheet(source)
    await session.parse_sheet()
    return session


async def ended(client: Client, execution: str) -> Execution:
    """The execution's end, as it is watched."""
    async with asyncio.timeout(SECONDS), client.executions.watch(execution) as stream:
        return await stream.finished()


def state(execution: Execution) -> str:
    """Its state as a word."""
    return ExecutionState.Name(execution.state).removeprefix("EXECUTION_STATE_")
