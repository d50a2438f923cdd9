"""Sessions as registers: what clients read and compare-and-set at once, over connections that break, for the judge.

A world is a few sessions and the labels that move between them: one object, as a label's move changes two sessions.
Contestants are clients with a connection of their own to one of several addresses; they know the wire and nothing of
who serves it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from grpc_status import rpc_status
from tests.rpc.linearizability import Recorder
from tests.rpc.serving import read_refusal

from sheetgrpc.v1 import session_pb2
from sheetgrpc.v1.session_service_pb2 import (
    CreateSessionRequest,
    GetSessionRequest,
    LabelSessionRequest,
    UpdateSessionRequest,
)
from sheetgrpc.v1.session_service_pb2_grpc import SessionServiceStub

SECONDS = 30  # what no call may take
REPLAYED = "sheetgrpc-replayed"


@dataclass(frozen=True, slots=True)
class Register:
    """What is looked at of a session."""

    version: int
    name: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Read:
    """GetSession, by the session's number in its world or by a label."""

    of: int | str


@dataclass(frozen=True, slots=True)
class Rename:
    """UpdateSession; `expected` is the version it must have, None for any."""

    session: int
    name: str
    expected: int | None


@dataclass(frozen=True, slots=True)
class Label:
    """LabelSession; whoever has the label loses it."""

    session: int
    label: str
    expected: int | None


@dataclass(frozen=True, slots=True)
class Stale:
    """VERSION_CONFLICT, with the version that the session has."""

    version: int


State: TypeAlias = tuple[Register, ...]
Command: TypeAlias = Read | Rename | Label
Answer: TypeAlias = tuple[int, Register] | Stale | None  # None: nobody has the label


def apply(state: State, command: Command) -> tuple[State, Answer]:
    """The sequential model."""
    if isinstance(command, Read):
        number = command.of if isinstance(command.of, int) else _holder(state, command.of)
        return state, None if number is None else (number, state[number])
    before = state[command.session]
    if command.expected not in (None, before.version):
        return state, Stale(before.version)
    after = list(state)
    if isinstance(command, Rename):
        after[command.session] = Register(before.version + 1, command.name, before.labels)
    else:
        holder = _holder(state, command.label)
        if holder not in (None, command.session):
            had = state[holder]
            after[holder] = Register(had.version + 1, had.name, had.labels - {command.label})
        after[command.session] = Register(before.version + 1, before.name, before.labels | {command.label})
    return tuple(after), (command.session, after[command.session])


def over(state: State, command: Command) -> bool:
    """Whether the version that a command expects has gone by."""
    if isinstance(command, Read) or command.expected is None:
        return False
    return command.expected < state[command.session].version


def _holder(state: State, label: str) -> int | None:
    return next((number for number, one in enumerate(state) if label in one.labels), None)


class World:
    """Sessions that were made for the occasion, their labels, and what happened to them."""

    def __init__(self, name: str, ids: Sequence[str], labels: Sequence[str], start: State) -> None:
        self.name = name
        self.ids = ids
        self.labels = labels
        self.start = start
        self.recorder = Recorder[Command, Answer]()

    def read(self, session: session_pb2.Session) -> tuple[int, Register]:
        """Which session it is, and what is looked at of it."""
        return self.ids.index(session.id), Register(session.version, session.name, frozenset(session.labels))


async def make_world(name: str, address: str, sessions: int = 3) -> World:
    """A world whose labels nobody has yet."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = SessionServiceStub(channel)
        made = [(await stub.CreateSession(CreateSessionRequest(), timeout=SECONDS)).session for _ in range(sessions)]
    start = tuple(Register(one.version, one.name, frozenset()) for one in made)
    return World(name, [one.id for one in made], [f"{name}-red", f"{name}-blue"], start)


class Contestant:
    """One client: a command after the other, with a connection that is cut off now and then."""

    def __init__(self, name: str, addresses: Sequence[str], worlds: Sequence[World], seed: str, cuts: float) -> None:
        """`cuts` is the part of its calls that it goes away from; `seed` decides all that it does."""
        self.counts = Counter[str]()
        self._name = name
        self._addresses = addresses
        self._worlds = worlds
        self._cuts = cuts
        self._chance = random.Random(seed)  # a game, not a secret
        self._channel: grpc.aio.Channel | None = None
        self._known = {world.name: [one.version for one in world.start] for world in worlds}

    async def play(self, commands: int) -> None:
        """That many commands."""
        try:
            for number in range(commands):
                world = self._chance.choice(self._worlds)
                session = self._chance.randrange(len(world.ids))
                if self._chance.random() < 0.4:  # else what it saw last, and others may have been quicker
                    await self._send(world, Read(session))
                await self._send(world, self._choose(world, session, f"{self._name}-{number}"))
        finally:
            await self._disconnect()

    async def look(self) -> None:
        """Reads everything once, undisturbed."""
        self._cuts = 0
        try:
            for world in self._worlds:
                for of in (*range(len(world.ids)), *world.labels):
                    await self._send(world, Read(of))
        finally:
            await self._disconnect()

    def _choose(self, world: World, session: int, name: str) -> Command:
        expected = self._known[world.name][session] if self._chance.random() < 0.9 else None
        commands: list[Command] = [
            Read(session),
            Read(self._chance.choice(world.labels)),
            Rename(session, name, expected),
            Label(session, self._chance.choice(world.labels), expected),
        ]
        return self._chance.choices(commands, [20, 10, 45, 25])[0]

    async def _send(self, world: World, command: Command) -> None:
        """One command to its end; or not, and then it is written down as one that nobody knows the end of."""
        # One that expects no version is seen to its end: of many such that may still happen, any order is possible.
        endless = not isinstance(command, Read) and command.expected is None
        again = endless or self._chance.random() < 0.9
        request_id = f"{self._name}-{self._chance.getrandbits(64):x}" if again else ""
        called, lost = world.recorder.moment(), False
        while True:
            try:
                answer = await self._call(world, command, request_id)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.ABORTED and not lost:
                    self.counts["given up"] += 1  # CONFLICT: the server says that nothing has happened
                    return
                if error.code() not in (grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE):
                    raise
                lost = True
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    await self._disconnect()  # another server may be there
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                lost = True
            else:
                world.recorder.answered(called, command, answer)
                self._learn(world, command, answer)
                return
            if isinstance(command, Read):
                self.counts["unread"] += 1  # changes nothing, whenever it happens
                return
            if not endless and (not request_id or self._chance.random() < 0.3):
                self.counts["unanswered"] += 1
                world.recorder.unanswered(called, command)
                return
            self.counts["repeated"] += 1

    def _learn(self, world: World, command: Command, answer: Answer) -> None:
        self.counts[type(answer).__name__ if isinstance(answer, Stale) else type(command).__name__] += 1
        if isinstance(answer, Stale) and not isinstance(command, Read):
            self._known[world.name][command.session] = answer.version
        elif isinstance(answer, tuple):
            self._known[world.name][answer[0]] = answer[1].version

    async def _call(self, world: World, command: Command, request_id: str) -> Answer:
        """The answer; CancelledError if the client went away, AioRpcError if the server said something else."""
        stub = SessionServiceStub(self._connect())
        call = _start(stub, world, command, request_id)
        if self._chance.random() < self._cuts:
            await self._cut(call)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            return _read_refusal(command, error)
        if REPLAYED in dict(await call.trailing_metadata() or ()):
            self.counts["replayed"] += 1
        return world.read(answer.session)

    async def _cut(self, call: Any) -> None:
        """Goes away after a number of steps of the loop, if the answer is not there by then."""
        for _ in range(self._chance.choice((0, 5, 50, 500)) * self._chance.randrange(1, 5)):
            if call.done():
                return
            await asyncio.sleep(0)
        if self._chance.random() < 0.2:
            await self._disconnect()
        call.cancel()

    def _connect(self) -> grpc.aio.Channel:
        if self._channel is None:
            # A subchannel pool of its own: else channels to one address share a connection.
            options = [("grpc.use_local_subchannel_pool", 1)]
            self._channel = grpc.aio.insecure_channel(self._chance.choice(self._addresses), options)
        return self._channel

    async def _disconnect(self) -> None:
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()


async def play(
    addresses: Sequence[str],
    *,
    seed: int,
    worlds: int = 3,
    contestants: int = 8,
    commands: int,
    cuts: float = 0.1,
    begun: asyncio.Event | None = None,
) -> tuple[list[World], Counter[str]]:
    """`commands` commands of `contestants` clients at once, then a last look at all; what happened, and how often.

    `begun` is set when they begin: from then on servers may go.
    """
    made = [await make_world(f"world-{seed}-{number}", addresses[0]) for number in range(worlds)]
    if begun is not None:
        begun.set()
    players = [
        Contestant(f"{seed}-{number}", addresses, made, f"{seed}/{number}", cuts) for number in range(contestants)
    ]
    await asyncio.gather(*(player.play(commands // contestants) for player in players))
    await players[0].look()
    return made, sum((player.counts for player in players), Counter[str]())


def _start(stub: Any, world: World, command: Command, request_id: str) -> Any:  # Any: gRPC's stub and call
    match command:
        case Read(of):
            name = world.ids[of] if isinstance(of, int) else of
            return stub.GetSession(GetSessionRequest(session=name), timeout=SECONDS)
        case Rename(session, name, expected):
            renaming = UpdateSessionRequest(
                session=world.ids[session], name=name, request_id=request_id, expected_version=expected
            )
            return stub.UpdateSession(renaming, timeout=SECONDS)
        case Label(session, label, expected):
            labelling = LabelSessionRequest(
                session=world.ids[session], label=label, request_id=request_id, expected_version=expected
            )
            return stub.LabelSession(labelling, timeout=SECONDS)


def _read_refusal(command: Command, error: grpc.aio.AioRpcError) -> Answer:
    """What a refusal says of the state; the error itself if that is nothing."""
    if rpc_status.from_call(error) is None:
        raise error
    refusal = read_refusal(error)
    if refusal.reason == "SESSION_NOT_FOUND" and isinstance(command, Read) and isinstance(command.of, str):
        return None
    if refusal.reason == "VERSION_CONFLICT":
        return Stale(int(refusal.metadata["actualVersion"]))
    raise error
