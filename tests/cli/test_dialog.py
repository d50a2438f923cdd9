# ruff: noqa: N802  (servicers spell RPCs as the protos do)
"""apply on a terminal: what is asked, what the answers do, and what Ctrl-C does while a sheet runs."""

import asyncio
import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from tests.cli.conftest import command, environment, run

from sheetgrpc.v1 import (
    control_service_pb2,
    control_service_pb2_grpc,
    execution_service_pb2,
    execution_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    sheet_service_pb2,
    sheet_service_pb2_grpc,
)
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.execution_service_pb2 import PhaseCompleted
from sheetgrpc.v1.session_pb2 import Session
from sheetgrpc.v1.sheet_pb2 import Phase, Sheet

Writer = Callable[..., Path]
SECONDS = 30.0
RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PROMPT = "q to quit: "


class Screen:
    """The far side of a terminal in which a command runs."""

    def __init__(self, process: subprocess.Popen[bytes], side: int) -> None:
        self.process = process
        self.seen = ""
        self._side = side
        self._read = 0

    def expect(self, text: str) -> None:
        """Read until a text comes that was not there at the last `expect`."""
        while text not in self.seen[self._read :]:
            if not self._take():
                raise AssertionError(f"{text!r} did not come:\n{self.seen}")
        self._read = self.seen.index(text, self._read) + len(text)

    def type(self, text: str) -> None:
        os.write(self._side, text.encode())

    def end(self) -> int:
        while self._take():
            pass
        return self.process.wait(SECONDS)

    def _take(self) -> bool:
        ready, _, _ = select.select([self._side], [], [], SECONDS)
        try:
            taken = os.read(self._side, 65536) if ready else b""
        except OSError:  # the command has closed its side
            taken = b""
        self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", taken.decode("utf-8", "replace"))
        return bool(taken)


@contextmanager
def terminal(*arguments: object) -> Iterator[Screen]:
    near, far = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        stdin=far,
        stdout=far,
        stderr=far,
        env=environment(COLUMNS="160"),
        start_new_session=True,
    )
    os.close(far)
    try:
        yield Screen(process, near)
    finally:
        process.kill()
        process.wait()
        os.close(near)


def has_fund(address: str, name: str) -> bool:
    return run("apply", "-", "--yes", "--address", address, stdin=f'(cbu.expect :name "{name}")'.encode()).code == 0


def named(fund: str) -> str:
    return (
        f'(cbu.ensure :name "{fund}" :jurisdiction "LU" :as @fund)\n'
        '(cbu.assign-role :cbu-id @fund :entity-id "Kiefer" :role "A")\n'
        '(cbu.assign-role :cbu-id @fund :entity-id "Kiefer" :role "B")\n'
    )


@pytest.fixture
def companies(address: str) -> str:
    made = run(
        *("apply", "-", "--yes", "--address", address),
        stdin=b'(entity.ensure-limited-company :name "Kiefer Holding AG" :jurisdiction "CH")'
        b'(entity.ensure-limited-company :name "Kiefer Invest AG" :jurisdiction "CH")'
        b'(entity.ensure-limited-company :name "Fichte Trust AG" :jurisdiction "CH")',
    )
    assert made.code == 0
    return address


def test_a_name_is_asked_for_once_searched_again_chosen_confirmed_and_committed(companies: str, sheet: Writer) -> None:
    with terminal("apply", sheet(named("Kiefer Fund")), "--address", companies) as screen:
        screen.expect('which entity is "Kiefer"?')
        screen.expect(PROMPT)
        screen.type("Fichte\n")
        screen.expect("1  Fichte Trust AG")
        screen.expect(PROMPT)
        screen.type("99\n")  # no such number: searched for, and nothing harmed
        screen.expect(PROMPT)
        screen.type("Fichte\n")
        screen.expect("1  Fichte Trust AG")
        screen.expect(PROMPT)
        screen.type("1\n")
        screen.expect("apply 3 statements in 2 phases? [y/N] ")
        screen.type("y\n")
        screen.expect("committed, 3 statements")
        assert screen.end() == 0
    assert screen.seen.count('which entity is "Kiefer"?') == 1
    assert "phase 1" in screen.seen
    assert "2/2" in screen.seen
    assert has_fund(companies, "Kiefer Fund")


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("q\n", 1, "quit, nothing was changed"),
        ("\x04", 1, "no answer, nothing was changed"),
        ("\x03", 130, "interrupted, nothing was changed"),
    ],
)
def test_whoever_is_asked_may_leave(companies: str, sheet: Writer, answer: str, code: int, said: str) -> None:
    with terminal("apply", sheet(named("Left Fund")), "--address", companies) as screen:
        screen.expect(PROMPT)
        if answer == "\x03":
            screen.process.send_signal(signal.SIGINT)
        else:
            screen.type(answer)
        assert screen.end() == code
    assert said in screen.seen
    assert not has_fund(companies, "Left Fund")


@pytest.mark.parametrize("answer", ["n\n", "\n", "what\n"])
def test_nothing_but_yes_confirms(address: str, sheet: Writer, answer: str) -> None:
    text = '(cbu.ensure :name "Never Fund" :jurisdiction "LU")'
    with terminal("apply", sheet(text), "--address", address) as screen:
        screen.expect("[y/N] ")
        screen.type(answer)
        assert screen.end() == 1
    assert "not confirmed, nothing was changed" in screen.seen
    assert not has_fund(address, "Never Fund")


class Endless(
    control_service_pb2_grpc.ControlServiceServicer,
    session_service_pb2_grpc.SessionServiceServicer,
    sheet_service_pb2_grpc.SheetServiceServicer,
    execution_service_pb2_grpc.ExecutionServiceServicer,
):
    """A server on which every sheet is sound and every execution runs for ever."""

    async def GetServerInfo(self, request: object, context: object) -> control_service_pb2.GetServerInfoResponse:
        return control_service_pb2.GetServerInfoResponse()

    async def CreateSession(self, request: object, context: object) -> session_service_pb2.CreateSessionResponse:
        return session_service_pb2.CreateSessionResponse(session=Session(id="S"))

    async def ImportSheet(self, request: object, context: object) -> sheet_service_pb2.ImportSheetResponse:
        return sheet_service_pb2.ImportSheetResponse()

    async def ParseSheet(self, request: object, context: object) -> sheet_service_pb2.ParseSheetResponse:
        sheet = Sheet(statement_count=1, phase_count=1, phases=[Phase(statement_count=1)])
        return sheet_service_pb2.ParseSheetResponse(sheet=sheet)

    async def ExecuteSheet(
        self, request: object, context: "grpc.aio.ServicerContext[object, execution_service_pb2.ExecuteSheetResponse]"
    ) -> None:
        await context.write(execution_service_pb2.ExecuteSheetResponse(snapshot=Execution(id=RUN)))
        await context.write(execution_service_pb2.ExecuteSheetResponse(phase_completed=PhaseCompleted(succeeded=1)))
        await asyncio.Event().wait()


async def serve_endless(endless: Endless) -> tuple[grpc.aio.Server, str]:
    """The server, and where it listens."""
    server = grpc.aio.server()
    control_service_pb2_grpc.add_ControlServiceServicer_to_server(endless, server)
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(endless, server)
    sheet_service_pb2_grpc.add_SheetServiceServicer_to_server(endless, server)
    execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server(endless, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    return server, address


async def test_ctrl_c_while_a_sheet_runs_leaves_it_running_and_says_how_to_watch(sheet: Writer) -> None:
    server, address = await serve_endless(Endless())
    process = await asyncio.create_subprocess_exec(
        *command("apply", sheet("(a.b)"), "--yes", "--address", address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    while await process.stdout.readline() != b"  phase 0: 1 done\n":
        assert process.returncode is None
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    await server.stop(None)
    assert process.returncode == 130
    assert "still running: Ctrl-C stops the watching, not the execution\n" in out.decode()
    assert f"watch it again with: sheetgrpc watch {RUN} --address {address}\n" in out.decode()
    assert f"cancel it with: sheetgrpc cancel {RUN} --address {address}\n" in out.decode()
    assert err.decode() == "error: interrupted\n"
