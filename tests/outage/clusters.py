"""PostgreSQL servers that the tests kill, stop, start again, copy and promote. Each is a test's own."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from tests import postgres
from tests.postgres import NoPostgres, Place

# What is acknowledged outlives the server's processes; the machine itself is not switched off here.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on", "shared_buffers": "32MB"}
_GONE_SECONDS = 30


class Cluster:
    """One server and its data."""

    def __init__(self, place: Place, settings: dict[str, str] | None = None) -> None:
        self.place = place
        self._settings = _SETTINGS | (settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        """The path of the socket it listens at."""
        return str(self.place.folder / f".s.PGSQL.{self.place.port}")

    def url(self, database: str = "postgres") -> str:
        """A database of it, by the socket."""
        return f"postgresql://postgres@/{database}?host={self.place.folder}&port={self.place.port}"

    async def start(self) -> None:
        """Starts, recovering whatever there is to recover."""
        (self.place.data / "postmaster.pid").unlink(missing_ok=True)
        self._process = self.place.launch(self._settings)
        await postgres.wait(self.place, self._process)

    async def kill(self) -> None:
        """SIGKILL to all of its processes at once."""
        await self._end(signal.SIGKILL, whole=True)

    async def stop(self) -> None:
        """An immediate shutdown: clients are told, nothing is written down."""
        await self._end(signal.SIGQUIT)

    async def shut(self) -> None:
        """A shutdown in order: nothing is left to recover."""
        await self._end(signal.SIGINT)

    def freeze(self) -> None:
        """Its processes stand still, and their sockets stay open."""
        self._signal(signal.SIGSTOP, whole=True)

    def thaw(self) -> None:
        """They go on."""
        self._signal(signal.SIGCONT, whole=True)

    async def run(self, script: str) -> None:
        """Runs a script on it."""
        await postgres.run(self.url(), script)

    async def count(self, query: str, *values: object) -> int:
        """The number that a query answers."""
        connection = await asyncpg.connect(self.url())
        try:
            return int(await connection.fetchval(query, *values))
        finally:
            await connection.close()

    def _signal(self, number: int, *, whole: bool) -> None:
        assert self._process is not None
        if not whole:
            self._process.send_signal(number)
            return
        for pid in [self._process.pid, *_children(self._process.pid)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    async def _end(self, number: int, *, whole: bool = False) -> None:
        if self._process is None:
            return
        self._signal(number, whole=whole)
        await asyncio.to_thread(self._process.wait, _GONE_SECONDS)
        self._process = None


@asynccontextmanager
async def seeded() -> AsyncIterator[Path]:
    """The data of a server with our tables, from which others are copied. Raises NoPostgres where none can be had."""
    async with _place() as place:
        await asyncio.to_thread(place.run, "initdb", "-D", place.data, *postgres.INIT)
        async with _running(Cluster(place)) as one:
            await postgres.migrate(one.url())
            await one.shut()
        yield place.data


@asynccontextmanager
async def cluster(seed: Path, port: int = 5432, **settings: str) -> AsyncIterator[Cluster]:
    """A server that runs."""
    async with _place(port) as place:
        await asyncio.to_thread(subprocess.run, ["cp", "-a", seed, place.data], check=True)
        async with _running(Cluster(place, settings)) as one:
            yield one


@asynccontextmanager
async def standby(primary: Cluster) -> AsyncIterator[Cluster]:
    """A hot standby, which every commit of the primary waits for. NoPostgres without pg_basebackup."""
    programs = primary.place.programs
    if not (programs / "pg_basebackup").exists():
        raise NoPostgres(f"there is no pg_basebackup in {programs}")
    async with _folder() as folder:
        place = await asyncio.to_thread(postgres.prepare, folder, programs, postgres.owner())
        source = f"host={primary.place.folder} user=postgres application_name=standby"
        arguments = ["-D", place.data, "-d", source, "-R", "--checkpoint=fast", "--no-sync"]
        await asyncio.to_thread(place.run, "pg_basebackup", *arguments)
        async with _running(Cluster(place)) as one:
            await primary.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            await primary.run("SELECT pg_reload_conf()")
            yield one


@asynccontextmanager
async def _running(one: Cluster) -> AsyncIterator[Cluster]:
    try:
        await one.start()
        yield one
    finally:
        await one.kill()


@asynccontextmanager
async def _place(port: int = 5432) -> AsyncIterator[Place]:
    async with _folder() as folder:
        yield await asyncio.to_thread(postgres.prepare, folder, postgres.find_programs(), postgres.owner(), port)


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sheetgrpc-pg-", dir=postgres.memory()))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in told.splitlines()]
    return [child for child, parent in pairs if parent == pid]
