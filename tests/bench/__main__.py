"""`make bench`: every figure beside a baseline of the same run; a table, and bench.json. Ratios are what counts."""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # before grpc: streams cut at the end are no news

import grpc
from tests.bench import postgres, replicas
from tests.bench.cancels import time_cancels
from tests.bench.commands import measure_commands
from tests.bench.measuring import CHANNEL, Bench, Client, Process
from tests.bench.queueing import bench_queue
from tests.bench.sessions import bare, bench_sessions, beside
from tests.bench.sheets import CATALOG, SCHEMA, Baseline, chain, independent, two_phases

from sheetgrpc.v1 import execution_service_pb2 as execution_pb
from sheetgrpc.v1 import session_service_pb2 as session_pb
from sheetgrpc.v1 import sheet_service_pb2 as sheet_pb
from sheetgrpc.v1.control_service_pb2_grpc import ControlServiceStub


async def size(bench: Bench, client: Client, baseline: Baseline, count: int, rounds: int) -> dict[str, float]:
    """Medians in seconds of parse, execute, whole and the baseline, in turn; ratios are medians of the rounds' own."""
    names = ("parse", "execute", "whole", "base", "execute/base", "whole/base")
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        mark = bench.fresh()
        base = baseline.run(count, mark)
        session, parse = await client.parse(two_phases(count, mark))
        execute = await client.execute(session)
        values = (parse, execute, parse + execute, base, execute / base, (parse + execute) / base)
        for name, value in zip(found, values, strict=True):
            found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


async def bench_sheets(bench: Bench, ours: Process, client: Client, baseline: Baseline) -> None:
    """(a), (b), (f)."""
    await size(bench, client, baseline, 2_000, 3)
    middle = await size(bench, client, baseline, 10_000, 5 if bench.quick else 9)
    beside = f"plain sqlite3 {middle['base'] * 1000:.0f} ms"
    bench.note(
        "(a) 10,000 statements: import + parse",
        middle["parse"] * 1000,
        "ms",
        middle["parse"] / middle["base"],
        8,
        3,
        beside,
    )
    bench.note("(a) 10,000 statements: execute", middle["execute"] * 1000, "ms", middle["execute/base"], 3, 1.5, beside)
    bench.note("(a) 10,000 statements: whole", middle["whole"] * 1000, "ms", middle["whole/base"], 8, 3, beside)
    small = await size(bench, client, baseline, 1_000, 5)
    await ours.ask("memory")
    before = float(await ours.ask("memory"))
    await ours.ask("stall")  # last: reading the memory holds the loop
    large = await size(bench, client, baseline, 100_000, 1 if bench.quick else 3)
    stall = float(await ours.ask("stall"))
    after = float(await ours.ask("memory"))
    growth = large["base"] / small["base"]
    own = large["whole"] / small["whole"]
    bench.note(
        "(b) 100,000 beside 1,000: growth of whole", own, "x", own / growth, 1.15, 1.05, f"plain sqlite3 {growth:.0f}x"
    )
    own = large["execute"] / small["execute"]
    bench.note(
        "(b) 100,000 beside 1,000: growth of execute",
        own,
        "x",
        own / growth,
        1.15,
        1.05,
        f"plain sqlite3 {growth:.0f}x",
    )
    kilobytes = (after - before) * 1024 / 100_000
    bench.note("(b) 100,000: peak memory a statement", kilobytes, "KB", None, 2, 1, "server and worker, beyond before")
    bench.note("(f) longest stall of the loop in (b)", stall, "ms", None, 50, 20, f"whole took {large['whole']:.2f} s")


async def bench_chain(bench: Bench, client: Client) -> None:
    """(c)."""
    count = 100_000
    taken: dict[Callable[[int, str], str], list[tuple[float, float]]] = {independent: [], chain: []}
    for _ in range(1 if bench.quick else 3):
        for make, found in taken.items():
            session, parse = await client.parse(make(count, bench.fresh()))
            found.append((parse, await client.execute(session)))
    for name, of in (("parse", lambda pair: pair[0]), ("execute", lambda pair: pair[1]), ("whole", sum)):
        mine, base = [of(pair) for pair in taken[chain]], [of(pair) for pair in taken[independent]]
        ratio = statistics.median(one / other for one, other in zip(mine, base, strict=True))  # each round's own
        beside = f"independent {statistics.median(base) * 1000:.0f} ms"
        bench.note(f"(c) a chain of 100,000: {name}", statistics.median(mine) * 1000, "ms", ratio, 3, 2, beside)


async def bench_reads(bench: Bench, ours: Process, client: Client) -> None:
    """(d): GetSession beside an echo of the same size, call by call in turn."""
    created = await client.sessions.CreateSession(session_pb.CreateSessionRequest(name="bench"))
    request = session_pb.GetSessionRequest(session=created.session.id)
    answer = await client.sessions.GetSession(request)
    async with bare(answer) as echoes:
        await beside(
            bench, "(d) GetSession, one at a time", lambda: client.sessions.GetSession(request),
            [partial(echo, "Echo", lambda: request) for echo in echoes], "echo", 1.3, 1.2, calls=1500,
        )  # fmt: skip


async def bench_watchers(bench: Bench, ours: Process, client: Client) -> None:
    """(e): one update to all watchers of a queued execution beside a bare fan-out of the same size."""
    await ours.ask("hold")
    session, _ = await client.parse(two_phases(4, bench.fresh()))
    submitted = await client.executions.SubmitSheet(execution_pb.SubmitSheetRequest(session=session, confirm=True))
    execution = submitted.execution.id
    request = execution_pb.WatchExecutionRequest(execution=execution).SerializeToString()
    other = await Process.start("bare", "110", "asyncio")
    for count in (1, 100, 1000):
        async with AsyncExitStack() as stack:
            mine = await Fan.open(stack, ours, "/sheetgrpc.v1.ExecutionService/WatchExecution", request, count)
            base = await Fan.open(stack, other, "/bench.Bare/Watch", b"", count)
            rounds: tuple[list[float], list[float]] = ([], [])
            for _ in range(max(15 if bench.quick else 25, 200 // count)):  # one message is soon told, and late as soon
                for fan, times, word in ((mine, rounds[0], f"publish {execution}"), (base, rounds[1], "publish")):
                    times.append(await fan.publish(word))
        own, plain = statistics.median(rounds[0]), statistics.median(rounds[1])
        bench.note(
            f"(e) one update to {count:,} watchers",
            own * 1000,
            "ms",
            own / plain,
            1.5,
            1.3,
            f"bare {plain * 1000:.2f} ms",
        )
    await other.stop()


class Fan:
    """Open streams of one server; `publish` takes until the last of them has its message."""

    def __init__(self, process: Process, count: int) -> None:
        self._process = process
        self._left = self._count = count
        self._all = asyncio.Event()

    @classmethod
    async def open(cls, stack: AsyncExitStack, process: Process, method: str, request: bytes, count: int) -> "Fan":
        fan = cls(process, count)
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(process.address, options=[("grpc.use_local_subchannel_pool", 1)])
            )
            for _ in range(max(1, count // 250))
        ]
        for at in range(count):
            call = channels[at % len(channels)].unary_stream(method)(request)
            task = asyncio.create_task(fan._read(call))
            stack.callback(task.cancel)
        await fan._all.wait()
        return fan

    async def _read(self, call: object) -> None:
        async for _ in call:  # type: ignore[attr-defined]
            self._left -= 1
            if not self._left:
                self._all.set()

    async def publish(self, command: str) -> float:
        self._all.clear()
        self._left = self._count
        began = time.perf_counter()
        self._process.tell(command)
        await self._all.wait()
        return time.perf_counter() - began


async def bench_beside(bench: Bench, client: Client) -> None:
    """(g): an execution while a large sheet is parsed, beside a quiet server."""
    quiet, busy = [], []
    large = two_phases(100_000, bench.fresh())
    for _ in range(2 if bench.quick else 4):
        session, _ = await client.parse(two_phases(10_000, bench.fresh()))
        quiet.append(await client.execute(session))
        session, _ = await client.parse(two_phases(10_000, bench.fresh()))
        other = await client.sessions.CreateSession(session_pb.CreateSessionRequest(name="large"))
        await client.sheets.ImportSheet(sheet_pb.ImportSheetRequest(session=other.session.id, source=large))
        parsing = asyncio.ensure_future(client.sheets.ParseSheet(sheet_pb.ParseSheetRequest(session=other.session.id)))
        await asyncio.sleep(0.05)
        busy.append(await client.execute(session))
        await parsing
    mine, base = statistics.median(busy), statistics.median(quiet)
    bench.note(
        "(g) execute 10,000 beside a parse of 100,000",
        mine * 1000,
        "ms",
        mine / base,
        3,
        1.5,
        f"quiet {base * 1000:.0f} ms",
    )


async def bench_cancels(bench: Bench, client: Client) -> None:
    """(m): aim and ceiling are for the slowest of a hundred."""

    async def ready() -> str:
        return (await client.parse(two_phases(10_000, bench.fresh())))[0]

    lasts = min([await client.execute(await ready()) for _ in range(3)])
    p99, told = await time_cancels(client.executions, ready, lasts, 30 if bench.quick else 100)
    bench.note("(m) cancel of a run of 10,000: p99 to its end", p99, "ms", None, 200, 100, told)


async def bench_plans(bench: Bench, client: Client) -> None:
    """(o): medians of the same sheet, planned and then executed."""
    plans, runs = [], []
    for _ in range(5 if bench.quick else 9):
        session, _ = await client.parse(two_phases(10_000, bench.fresh()))
        plans.append(await client.plan(session))
        runs.append(await client.execute(session))
    ratio = statistics.median(plan / run for plan, run in zip(plans, runs, strict=True))
    beside = f"execute {statistics.median(runs) * 1000:.0f} ms"
    bench.note("(o) 10,000 statements: plan", statistics.median(plans) * 1000, "ms", ratio, 1.5, 1.2, beside)


async def bench_postgres(bench: Bench, folder: Path) -> None:
    """(p): the sheet of (a), on PostgreSQL."""
    async with AsyncExitStack() as opened:

        async def serve(url: str) -> Client:
            ours = await Process.start("ours", url, str(folder / "catalog.yaml"))
            opened.push_async_callback(ours.stop)
            return Client(await opened.enter_async_context(grpc.aio.insecure_channel(ours.address, options=CHANNEL)))

        await postgres.measure(bench, serve)


async def run(quick: bool, only: str) -> Bench:
    """Everything, in a temporary folder."""
    bench = Bench(quick)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "catalog.yaml").write_text(CATALOG)
        baseline = Baseline(folder)
        with sqlite3.connect(folder / "ours.db") as connection:
            connection.executescript(SCHEMA)
        connection.close()
        ours = await Process.start("ours", f"sqlite:///{folder}/ours.db", str(folder / "catalog.yaml"))
        async with grpc.aio.insecure_channel(ours.address, options=CHANNEL) as channel:
            client = Client(channel)
            parts: dict[str, Callable[[], Awaitable[None]]] = {
                "abf": lambda: bench_sheets(bench, ours, client, baseline),
                "c": lambda: bench_chain(bench, client),
                "d": lambda: bench_reads(bench, ours, client),
                "g": lambda: bench_beside(bench, client),
                "hijkl": lambda: bench_sessions(bench, folder),
                "m": lambda: bench_cancels(bench, client),
                "n": lambda: bench_queue(bench, client, ControlServiceStub(channel), folder),
                "o": lambda: bench_plans(bench, client),
                "p": lambda: bench_postgres(bench, folder),
                "q": lambda: measure_commands(bench, folder),
                "r": lambda: replicas.measure(bench),
                "e": lambda: bench_watchers(bench, ours, client),  # last: nothing runs on that server afterwards
            }
            for letters, work in parts.items():
                if not only or set(letters) & set(only):
                    await work()
        await ours.stop()
        baseline.close()
    return bench


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default="", help="letters of rows to measure; a, b, f are one part, h to l another")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    options = parser.parse_args()
    began = time.perf_counter()
    bench = asyncio.run(run(options.quick, options.only))
    seconds = time.perf_counter() - began
    options.json.write_text(json.dumps({"seconds": round(seconds, 1), "rows": bench.rows}, indent=1) + "\n")
    over = [row["name"] for row in bench.rows if not row["ok"]]
    print(
        f"{seconds:.0f} s; "
        + (f"over the ceiling: {', '.join(map(str, over))}" if over else "all under their ceilings")
    )
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
