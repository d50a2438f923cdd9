"""A server in a process and on a file of its own, and a client that knows the generated stubs and nothing else."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from sheetgrpc.v1 import (
    approval_service_pb2_grpc,
    catalog_service_pb2_grpc,
    control_service_pb2_grpc,
    execution_service_pb2_grpc,
    session_pb2,
    session_service_pb2_grpc,
    sheet_service_pb2_grpc,
)
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

HERE = Path(__file__).parent
SECONDS = 60  # what no call may take
READY = session_pb2.SESSION_STATE_READY


class Process:
    """`sheetgrpc serve` on a database file, which may be started again and again."""

    def __init__(self, database: Path, catalog: str = "onboarding", **flags: object) -> None:
        self.database = database
        self._arguments = ["--database", f"sqlite:///{database}", "--listen", "127.0.0.1:0", "--catalog", catalog]
        for name, value in flags.items():
            self._arguments += [f"--{name.replace('_', '-')}", str(value)]
        self._log = database.with_suffix(".log")
        self._running: subprocess.Popen[str] | None = None
        self._clients: list[Client] = []
        self.address = ""

    def start(self) -> "Client":
        """Starts it and waits until it listens."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEETGRPC_")}
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "sheetgrpc", "serve", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environ,
                text=True,
            )
        assert self._running.stdout is not None
        line = self._running.stdout.readline()
        assert line.startswith("listening on "), self._log.read_text()
        self.address = line.removeprefix("listening on ").strip()
        self._clients.append(Client(self.address))
        return self._clients[-1]

    def kill(self) -> None:
        """SIGKILL: no handler, no farewell."""
        if self._running is not None:
            self._running.kill()
            self._running.communicate()
            self._running = None

    def terminate(self) -> None:
        """SIGTERM."""
        assert self._running is not None
        self._running.terminate()

    def wait(self) -> int:
        """The exit status."""
        assert self._running is not None
        self._running.communicate(timeout=SECONDS)
        code, self._running = self._running.returncode, None
        return code

    def end(self) -> None:
        """Leaves nothing behind: neither the server nor the connections to it."""
        for client in self._clients:
            client.close()
        self.kill()

    def restart(self) -> "Client":
        """Stops it in order and starts it on the same file."""
        self.terminate()
        assert self.wait() == 0
        return self.start()


class Client:
    """Stubs, and the few steps that most tests need."""

    def __init__(self, address: str) -> None:
        # A subchannel pool of its own: else channels to one address share a connection, and a cut one is all of them.
        self.channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        self.sessions = session_service_pb2_grpc.SessionServiceStub(self.channel)
        self.sheets = sheet_service_pb2_grpc.SheetServiceStub(self.channel)
        self.executions = execution_service_pb2_grpc.ExecutionServiceStub(self.channel)
        self.approvals = approval_service_pb2_grpc.ApprovalServiceStub(self.channel)
        self.catalog = catalog_service_pb2_grpc.CatalogServiceStub(self.channel)
        self.control = control_service_pb2_grpc.ControlServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def create(self, **fields: Any) -> str:
        """A new session's id."""
        request = sessions.CreateSessionRequest(**fields)
        return str(self.sessions.CreateSession(request, timeout=SECONDS).session.id)

    def session(self, session: str) -> session_pb2.Session:
        answer = self.sessions.GetSession(sessions.GetSessionRequest(session=session), timeout=SECONDS)
        return answer.session

    def parse(self, source: str, session: str = "") -> tuple[str, sheets.ParseSheetResponse]:
        """A session with this sheet, parsed."""
        session = session or self.create()
        self.sheets.ImportSheet(sheets.ImportSheetRequest(session=session, source=source), timeout=SECONDS)
        return session, self.sheets.ParseSheet(sheets.ParseSheetRequest(session=session), timeout=SECONDS)

    def ready(self, source: str, session: str = "") -> str:
        """A session whose sheet can be executed."""
        session, parsed = self.parse(source, session)
        assert parsed.session.state == READY, (parsed.sheet.diagnostics, parsed.sheet.unresolved_references)
        return session

    def execute(self, session: str, **fields: Any) -> list[executions.ExecuteSheetResponse]:
        """The whole stream of an execution."""
        return list(self.executions.ExecuteSheet(execute(session, **fields), timeout=SECONDS))

    def run(self, source: str, session: str = "", **fields: Any) -> Any:
        """A sheet from text to end: the execution."""
        return self.execute(self.ready(source, session), **fields)[-1].finished

    def watch(self, execution: str, **fields: Any) -> list[executions.WatchExecutionResponse]:
        request = executions.WatchExecutionRequest(execution=execution, **fields)
        return list(self.executions.WatchExecution(request, timeout=SECONDS))

    def execution(self, execution: str) -> Any:
        request = executions.GetExecutionRequest(execution=execution)
        return self.executions.GetExecution(request, timeout=SECONDS).execution

    def results(self, execution: str, **fields: Any) -> list[Any]:
        request = executions.ListStatementResultsRequest(execution=execution, **fields)
        return pages(self.executions.ListStatementResults, request, "results", 1000)


def submit(session: str, **fields: Any) -> executions.SubmitSheetRequest:
    """A confirmed submit."""
    return executions.SubmitSheetRequest(session=session, confirm=True, **fields)


def execute(session: str, **fields: Any) -> executions.ExecuteSheetRequest:
    """A confirmed execute."""
    return executions.ExecuteSheetRequest(session=session, confirm=True, **fields)


class Refusal:
    """A refusal as a client reads it."""

    def __init__(self, error: grpc.RpcError) -> None:
        status = rpc_status.from_call(error)
        assert status is not None, error
        self.code = error.code()
        self.message = error.details()
        info = error_details_pb2.ErrorInfo()
        infos = [one for one in status.details if one.Unpack(info)]
        assert len(infos) == 1
        assert info.domain == "sheetgrpc"
        self.reason = info.reason
        self.metadata = dict(info.metadata)


def refused(call: Any, request: Any) -> Refusal:
    """The refusal that a call ends with, a stream too."""
    try:
        answer = call(request, timeout=SECONDS)
        told = list(answer) if isinstance(answer, Iterator) else answer
    except grpc.RpcError as error:
        return Refusal(error)
    raise AssertionError(f"accepted: {told}")


def pages(call: Any, request: Any, field: str, size: int) -> list[Any]:
    """Every item of a list, page by page."""
    found: list[Any] = []
    request.page_size = size
    while True:
        page = call(request, timeout=SECONDS)
        items = list(getattr(page, field))
        assert len(items) <= size
        assert len(items) == size or not page.next_page_token
        found += items
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found


@contextmanager
def serve(database: Path, catalog: str = "onboarding", **flags: object) -> Iterator[tuple[Process, Client]]:
    """A server for as long as the block lasts."""
    process = Process(database, catalog, **flags)
    try:
        yield process, process.start()
    finally:
        process.end()


def orchard(folder: Path) -> Path:
    """A database with the foreign tables."""
    database = folder / "orchard.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((HERE / "orchard.sql").read_text())
    return database


ORCHARD = str(HERE / "orchard.yaml")


def synthetic(growers: int, seed: int = 0) -> str:
    """A sheet of 4 x `growers` statements, 3 verbs, two phases; shuffled: symbols are used before they are bound."""
    lines = []
    for number in range(growers):
        lines += [
            f'(grower.ensure :code "G{number}" :name "{number} of \\"B\\"" :village "V{number % 7}" :as @g{number})',
            f'(apple.ensure :apple "A{number}" :colour "c{number % 5}" :as @a{number})',
            f"(plot.ensure :grower @g{number} :number 1 :apple @a{number})",
            f"(plot.ensure :grower @g{number} :number 2)",
        ]
    random.Random(seed).shuffle(lines)  # an order, not a secret
    return "\n".join(lines)


def rows(database: Path, sql: str, *values: object) -> list[Any]:
    """A query of the user's tables; rows of one column as that column's values."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(sql, values).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def change(database: Path, sql: str, *values: object) -> None:
    """A change that another program makes."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql, values)


def dump(database: Path) -> str:
    """All of the user's tables, as text."""
    with closing(sqlite3.connect(database)) as connection:
        return "\n".join(line for line in connection.iterdump() if "sheetgrpc_" not in line)


def kinds(messages: Iterable[Any]) -> list[str]:
    """What a stream told, in order."""
    return [str(message.WhichOneof("update")) for message in messages]
