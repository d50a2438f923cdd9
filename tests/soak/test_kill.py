"""SIGKILL at seeded random moments of an execution: all of it is there or nothing, and the session can go on.

The moment is the arrival of the k-th message of the stream, and then a number of looks at the write-ahead log's size
(a tick of the run's own clock: it grows with what the run writes, last of all by the commit).
"""

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.flows.serving import ORCHARD, SECONDS, Client, Process, dump, execute, orchard, serve, synthetic

from sheetgrpc.v1 import execution_pb2, session_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

GROWERS = 1000  # 4,000 statements in two phases
SOURCE = synthetic(GROWERS)
STATES = execution_pb2.ExecutionState
EXECUTED = session_pb2.SESSION_STATE_EXECUTED
KILLS_IN_TEST, KILLS_IN_SOAK = 3, 30


@pytest.mark.parametrize("seed", range(KILLS_IN_TEST))
def test_a_killed_run_is_whole_or_nothing(tmp_path: Path, seed: int) -> None:
    kill_and_go_on(tmp_path, seed)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_thirty_killed_runs_are_whole_or_nothing(tmp_path: Path) -> None:
    ends: Counter[int] = Counter()
    for seed in range(KILLS_IN_TEST, KILLS_IN_TEST + KILLS_IN_SOAK):
        folder = tmp_path / str(seed)
        folder.mkdir()
        ends[kill_and_go_on(folder, seed)] += 1
    told = {STATES.Name(state): count for state, count in ends.items()}
    assert ends[STATES.EXECUTION_STATE_INTERRUPTED] >= 5, told  # the moments are spread: inside of runs
    assert ends[STATES.EXECUTION_STATE_SUCCEEDED] >= 1, told  # and beyond them
    print(told)


def kill_and_go_on(folder: Path, seed: int) -> int:
    """How the killed execution ended."""
    chance = random.Random(seed)  # a moment, not a secret
    with serve(orchard(folder), ORCHARD) as (process, old):
        old.run('(grower.ensure :code "before") (apple.ensure :apple "before")')
        before = dump(process.database)
        session = old.ready(SOURCE)
        execution = kill_while_it_runs(process, old, session, chance)
        client = process.start()

        ended = client.watch(execution)[-1].finished  # killed before it was claimed, it runs now
        assert ended == client.execution(execution)
        whole = ended.state == STATES.EXECUTION_STATE_SUCCEEDED
        assert whole or ended.state == STATES.EXECUTION_STATE_INTERRUPTED
        check_tables(process, before, whole=whole)
        now = client.session(session)
        assert (now.state, now.last_execution_id, now.last_execution_succeeded) == (EXECUTED, execution, whole)
        assert now.version == now.event_count
        check_results(client, ended, whole=whole)
        go_on(client, session, whole=whole, reset=chance.random() < 0.5)
        check_tables(process, before, whole=True)
        return int(ended.state)


def kill_while_it_runs(process: Process, client: Client, session: str, chance: random.Random) -> str:
    """The execution's id."""
    log = process.database.with_name(process.database.name + "-wal")
    messages, looks = chance.randrange(1, 5), chance.choice([0, 1, 10, 100, chance.randrange(1, 4000)])
    stream = client.executions.ExecuteSheet(execute(session), timeout=SECONDS)
    first = next(stream)
    try:
        for _ in range(messages - 1):
            if next(stream).HasField("finished"):
                break
        for _ in range(looks):
            if not log.exists():
                break
            log.stat()
    finally:
        process.kill()
    with suppress(grpc.RpcError):  # the connection breaks, unless the end was among what came
        list(stream)
    return str(first.snapshot.id)


def check_tables(process: Process, before: str, *, whole: bool) -> None:
    """The user's tables are as they were, or have every row of the sheet and nothing else new."""
    found = dump(process.database)
    if whole:
        new = [line for line in found.splitlines() if line.startswith("INSERT")]
        old = [line for line in before.splitlines() if line.startswith("INSERT")]
        assert set(old) <= set(new)
        assert len(new) - len(old) == 4 * GROWERS
    else:
        assert found == before


def check_results(client: Client, ended: Any, *, whole: bool) -> None:
    counts = {one.status: one.count for one in ended.status_counts}
    assert sum(counts.values()) == 4 * GROWERS
    results = client.results(ended.id)
    if whole:
        assert [one.index for one in results] == list(range(4 * GROWERS))
        assert all(one.returned_key for one in results)
    else:
        assert not ended.tables
        assert not any(one.returned_key for one in results)


def go_on(client: Client, session: str, *, whole: bool, reset: bool) -> None:
    """The same session, to the end of the same sheet."""
    if reset:
        client.sessions.ResetSession(
            sessions.ResetSessionRequest(session=session, to=session_pb2.SESSION_STATE_EMPTY), timeout=SECONDS
        )
    if reset or whole:
        request = sheets.ImportSheetRequest(session=session, source=SOURCE)
        client.sheets.ImportSheet(request, timeout=SECONDS)
    parsed = client.sheets.ParseSheet(sheets.ParseSheetRequest(session=session), timeout=SECONDS)
    assert parsed.session.state == session_pb2.SESSION_STATE_READY
    finished = client.execute(session)[-1].finished
    assert finished.state == STATES.EXECUTION_STATE_SUCCEEDED
    listed = client.executions.ListExecutions(executions.ListExecutionsRequest(session=session), timeout=SECONDS)
    assert len(listed.executions) == 2
