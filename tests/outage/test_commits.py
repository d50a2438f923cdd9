"""What becomes of a command and of a run whose PostgreSQL goes in the middle of it: all of it or nothing, once.

The way to the database stands still at the chosen word, so that the harm is done at exactly that moment.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from tests.outage.clusters import Cluster
from tests.outage.proxy import Proxy
from tests.outage.serving import LONG, SHEET, create, ended, names, ready, recovered, serving, submit
from tests.rpc.serving import Running, refused

from sheetgrpc.v1 import execution_pb2, statement_result_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMIT, INSERT = b"COMMIT\0", b'INSERT INTO "cbus"'
SUCCEEDED = execution_pb2.EXECUTION_STATE_SUCCEEDED
FAILED = execution_pb2.EXECUTION_STATE_FAILED
NOWHERE = "/nowhere"


@asynccontextmanager
async def harmed(database: Cluster, line: Proxy, harm: str) -> AsyncIterator[None]:
    """Every connection is broken, none can be made; all that is on its way is lost, and the server may be, too."""
    line.lead(NOWHERE)
    line.cut()
    line.let_go()
    if harm != "cut":
        await (database.kill() if harm == "kill" else database.stop())
    yield
    if harm != "cut":
        await database.start()
    line.lead(database.socket)


HARMS = pytest.mark.parametrize("harm", ["cut", "kill", "stop"])
WHEN = pytest.mark.parametrize("passes", [False, True], ids=["before it is heard", "after it is heard"])


@HARMS
@WHEN
async def test_a_command_whose_commit_is_cut_off_is_unknown_and_a_repeat_tells_the_truth(
    database: Cluster, line: Proxy, harm: str, passes: bool
) -> None:
    """D-36: UNAVAILABLE / OUTCOME_UNKNOWN; the same request id is answered as it was, or done now; never twice."""
    async with serving(line.url("postgres")) as server:
        await server.sessions.CreateSession(create("first"))
        line.hold(b'"cut"', COMMIT, passes=passes)  # the command's own: others write, too
        call = server.sessions.CreateSession(create("cut"))
        await line.held.wait()
        if passes:
            await _is_there(database, "cut")
        async with harmed(database, line, harm):
            answer = await refused(call)
            assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")
        await recovered(server)
        there = "cut" in await names(server)
        assert there is passes
        again = server.sessions.CreateSession(create("cut"))
        made = (await again).session
        told = dict(await again.trailing_metadata())
        assert ("sheetgrpc-replayed" in told) is there
        assert await names(server) == ["first", "cut"]
        assert (await server.sessions.CreateSession(create("cut"))).session == made


async def test_the_truth_of_a_commit_is_read_at_once_where_that_is_possible(database: Cluster, line: Proxy) -> None:
    """D-36: a connection that breaks alone costs its caller nothing, if the command had a request id."""
    async with serving(line.url("postgres")) as server:
        line.hold(b'"cut"', COMMIT, passes=True)
        call = server.sessions.CreateSession(create("cut"))
        await line.held.wait()
        await _is_there(database, "cut")
        line.cut()
        line.let_go()
        assert (await call).session.name == "cut"
        assert "sheetgrpc-replayed" in dict(await call.trailing_metadata())
        assert await names(server) == ["cut"]


@HARMS
@WHEN
async def test_a_run_whose_commit_is_cut_off_ends_as_what_is_in_the_tables(
    database: Cluster, line: Proxy, harm: str, passes: bool
) -> None:
    """S-R43: SUCCEEDED with every row, or FAILED with none; the stream that watched it is told which."""
    async with serving(line.url("postgres")) as server:
        session = await ready(server)
        line.hold(INSERT, COMMIT, passes=passes)
        submitted = await submit(server, session, "run")
        await line.held.wait()
        if passes:
            await _is_written(database, 20)
        async with harmed(database, line, harm):
            pass
        end = await ended(server, submitted.execution.id)
        assert end.state == (SUCCEEDED if passes else FAILED)
        await _check(server, database, session, submitted, end, rows=20 if passes else 0)


@HARMS
async def test_a_run_that_is_cut_off_in_the_middle_leaves_nothing_and_its_session_goes_on(
    database: Cluster, line: Proxy, harm: str
) -> None:
    """S-R43: and the same sheet, submitted again, is applied once."""
    async with serving(line.url("postgres")) as server:
        session = await ready(server)
        line.hold(INSERT, passes=True)
        submitted = await submit(server, session, "run")
        await line.held.wait()
        async with harmed(database, line, harm):
            pass
        end = await ended(server, submitted.execution.id)
        assert (end.state, end.error.code) == (FAILED, statement_result_pb2.STATEMENT_ERROR_CODE_DB_CONNECTION)
        await _check(server, database, session, submitted, end, rows=0)
        again = await ready(server, SHEET)
        repeated = await ended(server, (await submit(server, again)).execution.id)
        assert repeated.state == SUCCEEDED
        assert await _rows(database) == 20


@HARMS
async def test_a_run_that_is_cut_off_in_the_middle_is_tried_again_by_itself_and_applied_once(
    database: Cluster, line: Proxy, harm: str
) -> None:
    """S-R43: its stream goes on through both tries, and nobody asks for the second."""
    async with serving(line.url("postgres"), retry_delays=(0.1, 1.0, 5.0)) as server:
        session = await ready(server)
        line.hold(INSERT, passes=True)
        submitted = await submit(server, session, "run")
        await line.held.wait()
        async with harmed(database, line, harm):
            pass
        end = await ended(server, submitted.execution.id)
        assert end.state == SUCCEEDED
        assert end.retry_count > 0
        await _check(server, database, session, submitted, end, rows=20)


@pytest.mark.usefixtures("hasty")
async def test_a_run_whose_lease_nobody_answers_for_is_given_up(database: Cluster, line: Proxy) -> None:
    """The way is only silent, and nothing breaks; but by then another server may have ended the run."""
    async with serving(line.url("postgres"), replica_lease=1.0) as server:
        session = await ready(server)
        line.hold(INSERT, passes=True)
        submitted = await submit(server, session, "run")
        await line.held.wait()
        run = server.engine._context.runs.get(submitted.execution.id)
        assert run is not None
        async with asyncio.timeout(LONG):
            while not run.lost:
                await database.run("SELECT 1")
        line.let_go()
        end = await ended(server, submitted.execution.id)
        assert end.state == execution_pb2.EXECUTION_STATE_INTERRUPTED
        await _check(server, database, session, submitted, end, rows=0)


async def _check(
    server: Running,
    database: Cluster,
    session: str,
    submitted: executions.SubmitSheetResponse,
    end: execution_pb2.Execution,
    *,
    rows: int,
) -> None:
    """What is stored, what is in the tables, and what a repeat of the submit is told agree."""
    await recovered(server)
    request = executions.GetExecutionRequest(execution=submitted.execution.id)
    assert (await server.executions.GetExecution(request)).execution == end
    assert await _rows(database) == rows
    assert await submit(server, session, "run") == submitted
    listed = await server.executions.ListExecutions(executions.ListExecutionsRequest(session=session))
    assert [one.id for one in listed.executions] == [end.id]


async def _rows(database: Cluster) -> int:
    return await database.count("SELECT count(*) FROM cbus WHERE name LIKE 'N%'")


async def _is_there(database: Cluster, name: str) -> None:
    """Until another sees the commit: its answer is on the way then, and held."""
    while not await database.count("SELECT count(*) FROM sheetgrpc.replies WHERE request_id = $1", name):
        pass


async def _is_written(database: Cluster, rows: int) -> None:
    while await _rows(database) != rows:
        pass
