"""Rows (h) to (l): commands, repeats, finding and listing among 100,000 sessions, writing beside 1,000 watchers."""

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeAlias

import grpc
from google.protobuf.message import Message
from tests.bench.filling import fill
from tests.bench.measuring import CHANNEL, Bench, Client, Process, in_turn

from sheetgrpc.v1 import session_pb2
from sheetgrpc.v1 import session_service_pb2 as pb

_SESSIONS = 100_000
_WATCHERS = 1000
_STALLED = 50

Call: TypeAlias = Callable[[], Awaitable[object]]
Echo: TypeAlias = Callable[[str, Callable[[], Message]], Awaitable[object]]


async def bench_sessions(bench: Bench, folder: Path) -> None:
    """All of them, on a server of their own."""
    await fill(folder / "many.db", _SESSIONS)
    server = await Process.start("ours", f"sqlite:///{folder}/many.db", str(folder / "catalog.yaml"))
    async with grpc.aio.insecure_channel(server.address, options=CHANNEL) as channel:
        client = Client(channel)
        await bench_commands(bench, client, folder)
        await bench_finding(bench, client)
        await bench_listing(bench, client)
        await bench_watched(bench, server, client)
    await server.stop()


async def bench_commands(bench: Bench, client: Client, folder: Path) -> None:
    """(h), (i)."""
    numbers = count()
    session = (await client.sessions.CreateSession(pb.CreateSessionRequest(name="bench"))).session.id

    def request() -> pb.LabelSessionRequest:
        number = next(numbers)
        return pb.LabelSessionRequest(session=session, label=f"l{number % 8}", request_id=f"request {number}")

    same = request()
    answer = await client.sessions.LabelSession(same)
    for _ in range(8):  # from here on every label moves nothing and the answers are of one size
        await client.sessions.LabelSession(request())
    async with bare(answer, folder / "rows") as echoes:
        await beside(
            bench, "(h) LabelSession with a request id", lambda: client.sessions.LabelSession(request()),
            [partial(echo, "Commit", request) for echo in echoes], "echo + commit of 3 rows", 1.5, 1.3, calls=2000,
        )  # fmt: skip
        await beside(
            bench, "(i) a repeat of LabelSession", lambda: client.sessions.LabelSession(same),
            [partial(echo, "Echo", lambda: same) for echo in echoes], "echo", 1.4, 1.2,
        )  # fmt: skip


async def bench_finding(bench: Bench, client: Client) -> None:
    """(j)."""
    numbers = count(step=7919)
    ask = lambda: pb.GetSessionRequest(session=f"label-{next(numbers) % _SESSIONS}")  # noqa: E731
    async with bare(await client.sessions.GetSession(ask())) as echoes:
        await beside(
            bench, "(j) GetSession by label, of 100,000", lambda: client.sessions.GetSession(ask()),
            [partial(echo, "Echo", ask) for echo in echoes], "echo", 1.4, 1.2,
        )  # fmt: skip


async def bench_listing(bench: Bench, client: Client) -> None:
    """(k)."""
    scoped = [session_pb2.SESSION_STATE_SCOPED]
    for name, request in (
        ("a page of 20, of 100,000", pb.ListSessionsRequest(page_size=20)),
        ("with a state that 1 in 100 has", pb.ListSessionsRequest(page_size=20, states=scoped)),
    ):
        answer = await client.sessions.ListSessions(request)
        assert len(answer.sessions) == 20
        async with bare(answer) as echoes:
            await beside(
                bench, f"(k) {name}", lambda request=request: client.sessions.ListSessions(request),
                [partial(echo, "Echo", lambda request=request: request) for echo in echoes],
                f"echo of {answer.ByteSize()} bytes", 4, 3,
            )  # fmt: skip


async def bench_watched(bench: Bench, server: Process, client: Client) -> None:
    """(l)."""
    watched = (await client.sessions.CreateSession(pb.CreateSessionRequest(name="watched"))).session.id
    quiet = (await client.sessions.CreateSession(pb.CreateSessionRequest(name="quiet"))).session.id
    calls = 500 if bench.quick else 1000
    await write(client, quiet, 200)
    base = await write(client, quiet, calls // 2)
    module, many = "tests.bench.watching", (str(_WATCHERS), str(_STALLED))
    watchers = await Process.start(server.address, watched, *many, module=module)
    await write(client, watched, 200)
    await server.ask("stall")
    before, began = int(await watchers.ask("told")), time.perf_counter()
    mine = await write(client, watched, calls)
    seconds = time.perf_counter() - began
    told = int(await watchers.ask("told")) - before
    stall = float(await server.ask("stall"))
    await watchers.stop()
    base += await write(client, quiet, calls // 2)
    for what, ceiling, of in (("median", 1.5, statistics.median), ("95 in 100", 2.5, late)):
        ours, alone = of(mine), of(base)
        bench.note(
            f"(l) UpdateSession, 1,000 watchers: {what}", ours * 1000, "ms", ours / alone, ceiling, 1.2,
            f"unwatched {alone * 1000:.2f} ms; {told / seconds:,.0f} messages/s to watchers meanwhile",
        )  # fmt: skip
    bench.note("(l) longest stall of the loop", stall, "ms", None, 50, 20, f"in {seconds:.1f} s")


async def write(client: Client, session: str, calls: int) -> list[float]:
    """Seconds of each of so many UpdateSession, one after the other."""
    times = []
    for number in range(calls):
        began = time.perf_counter()
        await client.sessions.UpdateSession(pb.UpdateSessionRequest(session=session, name=f"n{number}"))
        times.append(time.perf_counter() - began)
    return times


def late(times: list[float]) -> float:
    """What 95 of 100 stay below."""
    return statistics.quantiles(times, n=20)[-1]


@asynccontextmanager
async def bare(answer: Message, file: Path | None = None) -> AsyncIterator[list[Echo]]:
    """Calls of two bare servers that answer as many bytes: on asyncio's own loop, and on that which ours runs on."""
    async with AsyncExitStack() as stack:
        echoes = []
        for loop in ("asyncio", "ours"):
            rows = [f"{file}-{loop}.db"] if file is not None else []
            server = await Process.start("bare", str(answer.ByteSize()), loop, *rows)
            stack.push_async_callback(server.stop)
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
            echoes.append(_echo(channel, answer))
        yield echoes


def _echo(channel: grpc.aio.Channel, answer: Message) -> Echo:
    """Calls of a bare server's method with what `request` makes."""
    stubs = {
        name: channel.unary_unary(
            f"/bench.Bare/{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=type(answer).FromString,
        )
        for name in ("Echo", "Commit")
    }
    return lambda name, request: stubs[name](request())


async def beside(
    bench: Bench, name: str, ours: Call, bases: Sequence[Call], what: str, ceiling: float, aim: float, calls: int = 600
) -> None:
    """One row of calls in turn, by their medians; `bases` are of the two bare servers, and the first counts.

    Where both commit, the first few hundred `calls` are slower, of the bare server more of them than of ours: they make
    the log of the database longer, until its first checkpoint. The median is to be of those after that.
    """
    mine, plain, alike = await in_turn(calls // 2 if bench.quick else calls, ours, *bases)
    told = f"{what} {plain * 1000:.2f} ms, on our loop {alike * 1000:.2f} ms, medians"
    bench.note(name, mine * 1000, "ms", mine / plain, ceiling, aim, told)
