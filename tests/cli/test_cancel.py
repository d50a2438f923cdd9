# ruff: noqa: N802  (servicers spell RPCs as the protos do)
"""Cancelling from the command line: the command, and Ctrl-C in apply on a terminal."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import grpc
import pytest
from tests.cli.conftest import run
from tests.cli.test_dialog import RUN, Endless, Screen, serve_endless, terminal

from sheetgrpc.v1 import execution_service_pb2
from sheetgrpc.v1.execution_pb2 import EXECUTION_STATE_CANCELLED, EXECUTION_STATE_CANCELLING, Execution
from sheetgrpc.v1.execution_service_pb2 import CANCEL_OUTCOME_CANCEL_REQUESTED, PhaseCompleted

Writer = Callable[..., Path]
QUESTION = "cancel the execution? it goes on otherwise [y/N] "


class Cancellable(Endless):
    """An endless run that a cancel ends."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def ExecuteSheet(
        self, request: object, context: "grpc.aio.ServicerContext[object, execution_service_pb2.ExecuteSheetResponse]"
    ) -> None:
        await context.write(execution_service_pb2.ExecuteSheetResponse(snapshot=Execution(id=RUN)))
        await context.write(execution_service_pb2.ExecuteSheetResponse(phase_completed=PhaseCompleted(succeeded=1)))
        await self.asked.wait()
        ended = Execution(id=RUN, state=EXECUTION_STATE_CANCELLED, statements_total=1)
        await context.write(execution_service_pb2.ExecuteSheetResponse(finished=ended))

    async def CancelExecution(
        self, request: execution_service_pb2.CancelExecutionRequest, context: object
    ) -> execution_service_pb2.CancelExecutionResponse:
        assert request.execution == RUN
        self.asked.set()
        return execution_service_pb2.CancelExecutionResponse(
            outcome=CANCEL_OUTCOME_CANCEL_REQUESTED, execution=Execution(id=RUN, state=EXECUTION_STATE_CANCELLING)
        )


@contextmanager
def applying(sheet: Path) -> Iterator[tuple[Screen, Cancellable]]:
    """apply on a terminal, at the point where its sheet runs; the server is on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    served = Cancellable()
    server, address = asyncio.run_coroutine_threadsafe(serve_endless(served), loop).result()
    try:
        with terminal("apply", sheet, "--yes", "--address", address) as screen:
            screen.expect("1/1")
            yield screen, served
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_ctrl_c_asks_and_yes_cancels(sheet: Writer) -> None:
    with applying(sheet("(a.b)")) as (screen, served):
        screen.process.send_signal(signal.SIGINT)
        screen.expect(QUESTION)
        screen.type("y\n")
        screen.expect("cancelled: nothing was changed")
        assert screen.end() == 1
        assert served.asked.is_set()


def test_anything_but_yes_lets_it_go_on_and_ctrl_c_asks_again(sheet: Writer) -> None:
    with applying(sheet("(a.b)")) as (screen, served):
        for _ in range(2):
            screen.process.send_signal(signal.SIGINT)
            screen.expect(QUESTION)
            screen.type("\n")
            screen.expect("1/1")
        assert not served.asked.is_set()


@pytest.mark.parametrize("how", ["Ctrl-C", "the end of the input"])
def test_ctrl_c_at_the_question_leaves_without_cancelling(sheet: Writer, how: str) -> None:
    with applying(sheet("(a.b)")) as (screen, served):
        screen.process.send_signal(signal.SIGINT)
        screen.expect(QUESTION)
        if how == "Ctrl-C":
            screen.process.send_signal(signal.SIGINT)
        else:
            screen.type("\x04")
        assert screen.end() == 130
        assert f"cancel it with: sheetgrpc cancel {RUN}" in screen.seen
        assert not served.asked.is_set()


def test_the_command_says_what_became_of_it(address: str) -> None:
    ran = run(
        "apply", "-", "--yes", "--json", "--address", address, stdin=b'(cbu.ensure :name "Late" :jurisdiction "LU")'
    )
    execution = json.loads(ran.raw)["execution"]["id"]
    told = run("cancel", execution, "--wait", "--address", address)
    assert (told.code, told.out) == (1, "it had ended already\ncommitted\n")
    answer = json.loads(run("cancel", execution, "--json", "--address", address).raw)
    assert answer["outcome"] == "CANCEL_OUTCOME_ALREADY_FINISHED"
    assert answer["execution"]["id"] == execution


def test_an_unknown_execution_is_told(address: str) -> None:
    told = run("cancel", RUN, "--address", address)
    assert told.code == 1
    assert f'there is no execution "{RUN}"' in told.err
