"""Streams of executions: cut, resumed, watched by many, ended; a caller that goes away cancels nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.flows.serving import SECONDS, Client, Process, execute, kinds, rows, submit, synthetic

from sheetgrpc.v1 import execution_pb2, session_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions

Served = tuple[Process, Client]
APPLES = 2500
TIMED_OUT = execution_pb2.EXECUTION_STATE_TIMED_OUT


class Wire:
    """A connection through which a client reaches the server, and which can be cut."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """No farewell on either side."""
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


@contextmanager
def cuttable(address: str) -> Iterator[tuple[Wire, Client]]:
    wire = Wire(address)
    client = Client(wire.address)
    try:
        yield wire, client
    finally:
        client.close()
        wire.cut()


def slow(client: Client, code: str) -> str:
    """A session whose sheet does its first phase, more than one trip to the database, and hangs in its second."""
    return client.ready(
        f'(grower.ensure :code "{code}" :as @g)\n'
        + "\n".join(f'(apple.ensure :apple "{code}-{number}")' for number in range(APPLES))
        + '(nap.take :name "x" :grower @g)\n(plot.ensure :grower @g :number 1)'
    )


def after(messages: list[Any], sequence: int) -> list[bytes]:
    """What stands after a position, but for heartbeats."""
    kept = [one for one in messages if one.sequence > sequence and one.WhichOneof("update") != "heartbeat"]
    return [one.SerializeToString(deterministic=True) for one in kept]


def test_a_stream_over_a_cut_connection_goes_on_exactly_where_it_was(foreign: Served) -> None:
    process, client = foreign
    session = slow(client, "cut")
    with cuttable(process.address) as (wire, victim):
        stream = victim.executions.ExecuteSheet(execute(session, timeout=Duration(seconds=1)), timeout=SECONDS)
        seen = [next(stream), next(stream)]
        assert kinds(seen)[0] == "snapshot"
        wire.cut()
        with pytest.raises(grpc.RpcError):
            seen.extend(stream)
    last = seen[-1]
    name = seen[0].snapshot.id
    resumed = client.watch(name, resume_token=last.resume_token)
    assert all(one.sequence > last.sequence for one in resumed if one.WhichOneof("update") != "heartbeat")
    assert "snapshot" not in kinds(resumed)
    assert (kinds(resumed)[-1], resumed[-1].finished.state) == ("finished", TIMED_OUT)
    assert resumed[-1].finished == client.execution(name)


def test_every_token_of_a_running_execution_resumes_where_it_was_told(foreign: Served) -> None:
    _, client = foreign
    session = slow(client, "tokens")
    stream = client.executions.ExecuteSheet(
        execute(session, timeout=Duration(seconds=1), include_results=True), timeout=SECONDS
    )
    seen = [next(stream)]
    while not seen[-1].HasField("progress"):
        seen.append(next(stream))
    name = seen[0].snapshot.id
    others = []
    for one in seen[:-1]:  # something follows each of these, so that the server has it before the run ends
        request = executions.WatchExecutionRequest(execution=name, resume_token=one.resume_token, include_results=True)
        other = client.executions.WatchExecution(request, timeout=SECONDS)
        others.append((one.sequence, next(other), other))
    whole = [*seen, *stream]
    assert len(others) >= 4
    for sequence, following, other in others:
        assert after([following, *other], sequence) == after(whole, sequence)
    assert whole[-1].finished.state == TIMED_OUT


def test_positions_rise_and_every_phase_is_covered_once(foreign: Served) -> None:
    _, client = foreign
    session = client.ready(synthetic(700, seed=1))
    messages = client.execute(session, include_results=True)
    places = [one.sequence for one in messages if one.WhichOneof("update") != "heartbeat"]
    assert places == sorted(set(places))
    assert len({one.epoch for one in messages if one.WhichOneof("update") != "snapshot"}) == 1
    covered = [one.phase_completed for one in messages if one.HasField("phase_completed")]
    depths = [depth for one in covered for depth in range(one.first_depth, one.last_depth + 1)]
    assert depths == [0, 1]
    assert sum(one.succeeded for one in covered) == 2800
    streamed = [result.index for one in messages for result in one.statements.results]
    assert sorted(streamed) == list(range(2800))
    progress = [one.progress.completed for one in messages if one.HasField("progress")]
    assert (progress, progress[-1]) == (sorted(progress), 2800)
    assert messages[-1].HasField("finished")


def test_results_are_streamed_to_those_alone_who_ask(foreign: Served) -> None:
    _, client = foreign
    session = client.ready('(grower.ensure :code "quiet")')
    assert "statements" not in kinds(client.execute(session))


def test_a_caller_who_goes_away_cancels_nothing(foreign: Served) -> None:
    process, client = foreign
    session = client.ready(synthetic(500, seed=2).replace(':code "G', ':code "gone-'))
    leaver = Client(process.address)
    stream = leaver.executions.ExecuteSheet(execute(session), timeout=SECONDS)
    name = next(stream).snapshot.id
    leaver.close()
    assert client.watch(name)[-1].finished.state == execution_pb2.EXECUTION_STATE_SUCCEEDED
    assert rows(process.database, "SELECT count(*) FROM growers WHERE code LIKE 'gone-%'") == [500]


def test_a_deadline_of_the_call_is_none_of_the_run(foreign: Served) -> None:
    _, client = foreign
    session = slow(client, "deadline")
    request = execute(session, timeout=Duration(seconds=1), request_id="deadline")
    with pytest.raises(grpc.RpcError) as error:
        list(client.executions.ExecuteSheet(request, timeout=0.2))
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    now = client.session(session)
    assert now.state == session_pb2.SESSION_STATE_EXECUTING
    assert (now.progress.completed, now.progress.total) == (APPLES + 1, APPLES + 3)
    live = client.execution(now.last_execution_id)
    assert (live.state, live.phases_completed) == (execution_pb2.EXECUTION_STATE_RUNNING, 1)
    listed = client.executions.ListExecutions(executions.ListExecutionsRequest(session=session), timeout=SECONDS)
    assert list(listed.executions) == [client.execution(live.id)]
    assert client.watch(live.id)[-1].finished.state == TIMED_OUT


def test_submitted_executions_wait_their_turn(foreign: Served) -> None:
    _, client = foreign
    first = client.executions.SubmitSheet(submit(slow(client, "turn-1"), timeout=Duration(seconds=1)), timeout=SECONDS)
    session = client.ready('(grower.ensure :code "turn-2")')
    second = client.executions.SubmitSheet(submit(session), timeout=SECONDS).execution
    messages = client.watch(second.id)
    # In which state it is seen first is open: a submit needs the writer, too, and may get it after the first run only.
    assert messages[0].HasField("snapshot")
    finished = messages[-1].finished
    assert finished.state == execution_pb2.EXECUTION_STATE_SUCCEEDED
    assert finished.start_time.ToMicroseconds() >= client.execution(first.execution.id).end_time.ToMicroseconds()


@pytest.mark.parametrize("token", ["", "nonsense", "MSBYIDEgMQ=="])
def test_of_what_has_ended_snapshot_and_end_are_told(foreign: Served, token: str) -> None:
    _, client = foreign
    finished = client.run('(apple.ensure :apple "over")')
    messages = client.watch(finished.id, resume_token=token)
    assert kinds(messages) == ["snapshot", "finished"]
    assert messages[0].snapshot == messages[1].finished == finished
