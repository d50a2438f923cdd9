"""`sheetgrpc demo`: both ways to a sheet, shown step by step on a server and a database of its own.

The server runs as a process like any other; the demo talks to it over gRPC and at last reads the tables themselves.
"""

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.resources import files
from pathlib import Path

from sheetgrpc.cli.connecting import introduce, reaching
from sheetgrpc.cli.drawing import Source, draw_diagnostics
from sheetgrpc.cli.failure import DONE, FAILED, Failure
from sheetgrpc.cli.progress import display_for
from sheetgrpc.cli.reporting import show_failures, show_outcome, show_phases
from sheetgrpc.cli.running import exit_code, follow
from sheetgrpc.cli.terminal import Terminal, plural, stdout
from sheetgrpc.client import Client, Session, words
from sheetgrpc.v1.sheet_pb2 import Sheet

START_SECONDS = 60.0
STOP_SECONDS = 15.0
_LISTENING = "listening on "
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite*' ORDER BY name"
_OWN = "sheetgrpc_"


async def demo() -> int:
    """Load real fund data through a server on a temporary database, in two ways, and show what is in the tables."""
    terminal = stdout()
    with tempfile.TemporaryDirectory(prefix="sheetgrpc-demo-") as directory:
        database = Path(directory) / "demo.db"
        terminal.line(("A server of its own, on a temporary database", "bold"))
        async with _serving(database) as address:
            terminal.line(f"  sheetgrpc serve --database sqlite:///{database}: listening on {address}")
            async with reaching(address) as client:
                codes = [await _run_sheet(terminal, client, address), await _run_template(terminal, client, address)]
        terminal.line()
        terminal.line(("What is in the tables now", "bold"))
        rows = await asyncio.to_thread(_count_rows, database)
        terminal.columns([["table", "rows"], *rows], numbers=frozenset({1}), indent=2)
    return DONE if set(codes) == {DONE} else FAILED


async def _run_sheet(terminal: Terminal, client: Client, address: str) -> int:
    name, text = _example("gleif.dsl")
    terminal.line()
    terminal.line(("1. A raw sheet: public records of fund companies, submitted in any order", "bold"))
    session = await client.sessions.create("demo: a raw sheet", client=introduce(address))
    await session.import_sheet(text)
    _step(terminal, "ImportSheet", f"{name}, {len(text.encode()):,} bytes", session)
    return await _parse_and_execute(terminal, client, session, address, Source.of_text(name, text))


async def _run_template(terminal: Terminal, client: Client, address: str) -> int:
    name, text = _example("template.dsl")
    terminal.line()
    terminal.line(("2. A template x a scope: the same few statements for every client business unit", "bold"))
    session = await client.sessions.create("demo: a template", client=introduce(address))
    await session.set_scope("cbu", everything=True)
    _step(terminal, "SetScope", f"{session.now.scope.entity_count:,} of cbu", session)
    await session.set_template(text)
    _step(terminal, "SetTemplate", name, session)
    await session.confirm_intent()
    _step(terminal, "ConfirmIntent", "yes, this template for this scope", session)
    sheet = await session.generate_sheet()
    _step(terminal, "GenerateSheet", plural(sheet.statement_count, "statement"), session)
    return await _parse_and_execute(terminal, client, session, address, None)


async def _parse_and_execute(
    terminal: Terminal, client: Client, session: Session, address: str, source: Source | None
) -> int:
    sheet = await session.parse_sheet()
    found = f"{plural(sheet.statement_count, 'statement')} in {plural(sheet.phase_count, 'phase')}"
    _step(terminal, "ParseSheet", found, session)
    _refuse_faults(terminal, sheet, source)
    show_phases(terminal, sheet)
    _step(terminal, "ExecuteSheet", "confirmed, one transaction", None)
    stream = session.execute_sheet(confirm=True)
    execution = await follow(terminal, stream, display_for(terminal, sheet), address=address)
    show_outcome(terminal, execution)
    await show_failures(terminal, client, execution, source)
    await session.close("COMPLETED" if exit_code(execution) == DONE else "FAILED")
    return exit_code(execution)


def _refuse_faults(terminal: Terminal, sheet: Sheet, source: Source | None) -> None:
    if sheet.error_count or sheet.unresolved_count:
        draw_diagnostics(terminal, source or Source("the generated sheet", b"", offset=-1), sheet)
        raise Failure("the example's own sheet cannot be executed; this is a fault of sheetgrpc")


def _step(terminal: Terminal, rpc: str, what: str, session: Session | None) -> None:
    state = f"  -> {words.session_state(session.now.state)}" if session else ""
    terminal.line((f"{rpc:<14}", "bold blue"), what, (state, "green"))


def _example(name: str) -> tuple[str, str]:
    return name, (files("sheetgrpc.examples") / "onboarding" / "sheets" / name).read_text("utf-8")


@asynccontextmanager
async def _serving(database: Path) -> AsyncIterator[str]:
    """A server process on a free port; the address it listens at."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEETGRPC_")}
    with tempfile.TemporaryFile() as log:
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "sheetgrpc", "serve", "--listen", "127.0.0.1:0", "--catalog", "onboarding"),
            *("--database", f"sqlite:///{database}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=environ,
            start_new_session=True,  # Ctrl-C is the demo's, which then ends the server in order
        )
        try:
            yield await _wait_until_listening(server)
        except Failure:
            log.seek(0)
            sys.stderr.write(log.read().decode("utf-8", "replace"))
            raise
        finally:
            await _stop(server)


async def _wait_until_listening(server: asyncio.subprocess.Process) -> str:
    assert server.stdout is not None, "asked for as a pipe"
    try:
        async with asyncio.timeout(START_SECONDS):
            line = (await server.stdout.readline()).decode()
    except TimeoutError:
        raise Failure(f"the server did not start within {START_SECONDS:g} seconds") from None
    if not line.startswith(_LISTENING):
        raise Failure("the server did not start; what it said stands above")
    return line.removeprefix(_LISTENING).strip()


async def _stop(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()


def _count_rows(database: Path) -> list[list[str]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute(_TABLES) if not name.startswith(_OWN)]
        counts = [
            connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608  (a name of the schema)
            for name in tables
        ]
    return [[name, f"{count:,}"] for name, count in zip(tables, counts, strict=True) if count]
