"""What every part of the bench works with: server processes, the calls, the rows of the table, calls timed in turn."""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import grpc

from sheetgrpc.v1 import execution_service_pb2 as execution_pb
from sheetgrpc.v1 import execution_service_pb2_grpc as execution_grpc
from sheetgrpc.v1 import session_service_pb2 as session_pb
from sheetgrpc.v1 import session_service_pb2_grpc as session_grpc
from sheetgrpc.v1 import sheet_service_pb2 as sheet_pb
from sheetgrpc.v1 import sheet_service_pb2_grpc as sheet_grpc

CHANNEL = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]


class Process:
    """A server of `serving.py`, and a way to ask it."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.address = address
        self._process = process

    @classmethod
    async def start(cls, *arguments: str, module: str = "tests.bench.serving") -> "Process":
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise SystemExit("the server did not start")
        return cls(process, address)

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")

    async def ask(self, command: str) -> str:
        self.tell(command)
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


class Client:
    """The calls of the bench."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.sessions = session_grpc.SessionServiceStub(channel)
        self.sheets = sheet_grpc.SheetServiceStub(channel)
        self.executions = execution_grpc.ExecutionServiceStub(channel)

    async def parse(self, source: str) -> tuple[str, float]:
        """A READY session of this sheet, and the seconds of import and parse."""
        created = await self.sessions.CreateSession(session_pb.CreateSessionRequest(name="bench"))
        name = created.session.id
        began = time.perf_counter()
        await self.sheets.ImportSheet(sheet_pb.ImportSheetRequest(session=name, source=source))
        parsed = await self.sheets.ParseSheet(sheet_pb.ParseSheetRequest(session=name))
        seconds = time.perf_counter() - began
        if "ExecuteSheet" not in parsed.session.allowed_actions:
            raise SystemExit(f"the bench's sheet is not ready: {parsed.sheet.diagnostics[:3]}")
        return name, seconds

    async def execute(self, session: str) -> float:
        """Seconds from the call to `finished`."""
        began = time.perf_counter()
        last = None
        async for message in self.executions.ExecuteSheet(
            execution_pb.ExecuteSheetRequest(session=session, confirm=True)
        ):
            last = message
        seconds = time.perf_counter() - began
        counts = {count.status: count.count for count in last.finished.status_counts} if last is not None else {}
        if len(counts) != 1:
            raise SystemExit(f"an execution of the bench went wrong: {last}")
        return seconds

    async def plan(self, session: str) -> float:
        """Seconds from the call to `finished` of a dry run, over two calls."""
        began = time.perf_counter()
        queued = await self.executions.PlanSheet(execution_pb.PlanSheetRequest(session=session))
        last = None
        watched = execution_pb.WatchExecutionRequest(execution=queued.execution.id)
        async for message in self.executions.WatchExecution(watched):
            last = message
        seconds = time.perf_counter() - began
        if last is None or not last.finished.plan_digest:
            raise SystemExit(f"a plan of the bench went wrong: {last}")
        return seconds


class Bench:
    """One run of everything."""

    def __init__(self, quick: bool) -> None:
        self.rows: list[dict[str, object]] = []
        self.quick = quick
        self.mark = 0

    def note(
        self, name: str, ours: float, unit: str, ratio: float | None, ceiling: float, aim: float, beside: str
    ) -> None:
        """One row; `ratio` None: `ours` itself is held against the ceiling."""
        value = ours if ratio is None else ratio
        row = {"name": name, "ours": round(ours, 3), "unit": unit, "ratio": ratio and round(ratio, 2)}
        row |= {"ceiling": ceiling, "aim": aim, "beside": beside, "ok": value <= ceiling}
        self.rows.append(row)
        shown = f"{ratio:6.2f}x" if ratio is not None else "       "
        verdict = "ok" if value <= ceiling else "OVER"
        print(
            f"{name:44} {ours:10.2f} {unit:4} {shown}  ceiling {ceiling:<6} aim {aim:<5} {verdict:4}  {beside}",
            flush=True,
        )

    def fresh(self) -> str:
        """A mark that no earlier sheet has: every row is new."""
        self.mark += 1
        return f"Run {self.mark:04d}"


async def in_turn(calls: int, *sides: Callable[[], Awaitable[object]]) -> list[float]:
    """Median seconds of so many calls of each side, in turn by blocks."""
    times: list[list[float]] = [[] for _ in sides]
    for block in range(calls // 50):
        for side, taken in zip(sides, times, strict=True):
            for at in range(50):
                began = time.perf_counter()
                await side()
                if block and at > 2:
                    taken.append(time.perf_counter() - began)
    return [statistics.median(taken) for taken in times]
