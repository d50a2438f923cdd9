"""A database that goes away while its server lives (D-43): told by health and by every call, over without a restart.

What can be tried on SQLite: the file is moved away, the disk takes no more, another program holds the writer.
"""

import errno
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, refused

from sheetgrpc.v1 import control_service_pb2, session_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
CHECK = health_pb2.HealthCheckRequest()


def take_away(file: Path) -> Path:
    """Where the file is now."""
    return file.rename(file.with_name("away.db"))


def is_there(file: Path) -> bool:
    return file.exists()


async def status(server: Running) -> int:
    listed = (await server.health.List(health_pb2.HealthListRequest())).statuses
    (told,) = {one.status for one in listed.values()}
    assert (await server.health.Check(CHECK)).status == told
    return told


def create() -> session_service_pb2.CreateSessionRequest:
    return session_service_pb2.CreateSessionRequest(name="n", request_id="r")


async def test_a_database_that_is_moved_away_is_missed_and_taken_back(start_on_file: StartServer, file: Path) -> None:
    """D-43."""
    server = await start_on_file()
    kept = await server.sessions.CreateSession(session_service_pb2.CreateSessionRequest())
    away = take_away(file)
    answer = await refused(server.sessions.CreateSession(create(), timeout=5))
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert answer.details["RetryInfo"].retry_delay.seconds == 1
    assert await status(server) == NOT_SERVING
    read = await server.sessions.GetSession(session_service_pb2.GetSessionRequest(session=kept.session.id))
    assert read.session == kept.session  # what is open can still be read
    away.rename(file)
    assert await status(server) == SERVING
    assert (await server.sessions.CreateSession(create())).session.name == "n"


async def test_another_file_at_its_place_is_not_written_to(start_on_file: StartServer, file: Path) -> None:
    """D-43: not even a copy of it, which would be without what the log beside it has."""
    server = await start_on_file()
    shutil.copyfile(take_away(file), file)
    assert (await refused(server.sessions.CreateSession(create()))).reason == "STORE_UNAVAILABLE"
    assert await status(server) == NOT_SERVING


@contextmanager
def full(file: Path) -> Iterator[None]:
    """A disk that takes no byte more in a file than this one has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
    try:
        with pytest.raises(OSError) as error:
            (file.parent / "proof").write_bytes(bytes(file.stat().st_size + 1))
        assert error.value.errno == errno.EFBIG
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_more_is_told_until_it_does(start_on_file: StartServer, file: Path) -> None:
    """D-43: and the command that failed takes effect once, when it is sent again."""
    server = await start_on_file()
    assert await status(server) == SERVING
    with full(file.with_name("test.db-wal")):
        answer = await refused(server.sessions.CreateSession(create(), timeout=5))
        assert answer.code is grpc.StatusCode.UNAVAILABLE
        assert answer.reason in ("STORE_UNAVAILABLE", "OUTCOME_UNKNOWN")
        assert await status(server) == NOT_SERVING
        assert list((await server.sessions.ListSessions(session_service_pb2.ListSessionsRequest())).sessions) == []
    assert await status(server) == SERVING
    created = await server.sessions.CreateSession(create())
    listed = (await server.sessions.ListSessions(session_service_pb2.ListSessionsRequest())).sessions
    assert [one.id for one in listed] == [created.session.id]


async def test_a_writer_that_another_program_holds_is_busy_and_no_ill_health(
    start_on_file: StartServer, file: Path
) -> None:
    """D-43."""
    server = await start_on_file(busy_timeout=0.01)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await refused(server.sessions.CreateSession(create(), timeout=5))
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_BUSY")
        assert await status(server) == SERVING
        other.execute("ROLLBACK")
    assert (await server.sessions.CreateSession(create())).session.name == "n"


async def test_a_watch_of_health_tells_when_the_database_goes_and_comes(start_on_file: StartServer, file: Path) -> None:
    """D-43."""
    server = await start_on_file(heartbeat_interval=0.01)
    watch = server.health.Watch(CHECK)
    assert (await watch.read()).status == SERVING
    away = take_away(file)
    assert (await watch.read()).status == NOT_SERVING
    away.rename(file)
    assert (await watch.read()).status == SERVING
    watch.cancel()


@pytest.mark.parametrize("no_persist", [True, False])
async def test_the_server_says_whether_anything_is_kept(
    start_on_file: StartServer, file: Path, no_persist: bool
) -> None:
    server = await start_on_file(no_persist=no_persist)
    info = (await server.control.GetServerInfo(control_service_pb2.GetServerInfoRequest())).server_info
    assert info.persistent is not no_persist
    assert is_there(file) is not no_persist
    assert (await server.sessions.CreateSession(create())).session.name == "n"
    assert await status(server) == SERVING
