"""Row (n): a queue of one-statement executions worked off, beside as many bare transactions on a file of its own."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import grpc
from tests.bench.measuring import Bench, Client

from sheetgrpc.v1 import control_service_pb2 as pb
from sheetgrpc.v1 import execution_service_pb2 as execution_pb
from sheetgrpc.v1.control_service_pb2_grpc import ControlServiceStub

_AT_ONCE = 16  # submits under way


async def bench_queue(bench: Bench, client: Client, control: ControlServiceStub, folder: Path) -> None:
    """(n): from the resume of a held queue to the end of the last."""
    count = 200 if bench.quick else 1000
    await control.PauseQueue(pb.PauseQueueRequest())
    began = time.perf_counter()
    await _submit(bench, client, count)
    submitting = time.perf_counter() - began
    newest = await client.executions.ListExecutions(execution_pb.ListExecutionsRequest(page_size=1))
    last = client.executions.WatchExecution(execution_pb.WatchExecutionRequest(execution=newest.executions[0].id))
    await last.read()  # it waits, behind all others
    began = time.perf_counter()
    await control.ResumeQueue(pb.ResumeQueueRequest())
    while await last.read() is not grpc.aio.EOF:
        pass
    mine = time.perf_counter() - began
    base = await asyncio.to_thread(_bare, folder / "queue.db", count)
    told = f"{count / mine:,.0f} a second; bare {count / base:,.0f}; with their submits {submitting + mine:.1f} s"
    name = f"(n) a queue of {count:,} one-statement executions"
    bench.note(name, mine * 1000, "ms", mine / base, 20, 10, told)


async def _submit(bench: Bench, client: Client, count: int) -> None:
    marks = [bench.fresh() for _ in range(count)]
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(mark: str) -> None:
        async with free:
            sheet = f'(client.ensure :name "Queued {mark}" :country "LU")'
            session, _ = await client.parse(sheet)
            await client.executions.SubmitSheet(execution_pb.SubmitSheetRequest(session=session, confirm=True))

    await asyncio.gather(*map(one, marks))


def _bare(path: Path, count: int) -> float:
    """Seconds for as many transactions of one row, as durable as ours."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE clients (client_id text PRIMARY KEY, name text NOT NULL, country text NOT NULL)"
        )
        connection.execute("CREATE UNIQUE INDEX clients_natural ON clients (name, country)")
        began = time.perf_counter()
        for at in range(count):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO clients VALUES (?, ?, 'LU')", (f"key {at}", f"name {at}"))
            connection.execute("COMMIT")
        return time.perf_counter() - began
