"""A cancel that is sent again is answered as it was, although the run has the writer when it is answered first."""

import asyncio
from pathlib import Path

import pytest
from tests.engine.driving import drive
from tests.engine.stopping import ANY, PATIENCE, cancel, gated, run

from sheetgrpc.errors import InvalidRequest, Reason
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import RequestKey

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'


async def test_a_repeat_gets_the_first_answer_during_the_run_after_it_and_after_a_restart(path: Path) -> None:
    """Kept in memory until the transaction that ends the run writes it."""
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        first = await cancel(fleet, execution, request_id="one")
        during = await cancel(fleet, execution, request_id="one")
        second = await cancel(fleet, execution, request_id="two")
        assert (first.outcome, second.outcome) == ("CANCEL_REQUESTED", "ALREADY_CANCELLING")
        assert first.reply.stored is not None
        assert first.reply.stored.expires_at > first.execution.submitted_at
        gate.opened.set()
        await fleet.finish(execution)
        after = [await cancel(fleet, execution, request_id=one) for one in ("one", "two")]
    async with drive(path) as fleet:
        later = [await cancel(fleet, execution, request_id=one) for one in ("one", "two")]
        assert (await cancel(fleet, execution, request_id="three")).outcome == "ALREADY_FINISHED"
    assert [answer.reply.body for answer in (during, after[0], later[0])] == [first.reply.body] * 3
    assert [answer.reply.body for answer in (after[1], later[1])] == [second.reply.body] * 2
    assert all(answer.reply.replayed for answer in (during, *after, *later))


async def test_the_answer_is_written_with_the_end_of_the_run(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        first = await cancel(fleet, execution, request_id="one")
        key = RequestKey("anna", "CancelExecution", execution, "one")
        assert await fleet.engine.store.reply(key) is None
        gate.opened.set()
        gate.set("commit", after=True)
        await gate.reached.wait()
        assert await fleet.engine.store.reply(key) == first.reply.stored


@pytest.mark.parametrize("method", ["record", "commit"])
async def test_an_answer_that_comes_too_late_is_written_behind(path: Path, method: str) -> None:
    """The commit is under way and cannot take it with it."""
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set(method, 2 if method == "commit" else 1)
        run(fleet)
        await gate.reached.wait()
        first = await cancel(fleet, execution, request_id="one")
        gate.opened.set()
        await fleet.finish(execution)
        again = await cancel(fleet, execution, request_id="one")
    async with drive(path) as fleet:
        later = await cancel(fleet, execution, request_id="one")
    assert first.outcome == "TOO_LATE_COMMITTING"
    assert later.reply.body == again.reply.body == first.reply.body


async def test_a_finished_execution_answers_at_once_while_another_run_has_the_writer(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        run(fleet)
        ended = (await fleet.run('(port.ensure :code "P")')).execution.id
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("apply")
        await gate.reached.wait()
        first = await cancel(fleet, ended, request_id="one")
        again = await cancel(fleet, ended, request_id="one")
        assert (first.outcome, again.reply.body) == ("ALREADY_FINISHED", first.reply.body)
        gate.opened.set()
        await fleet.finish(execution)
    async with drive(path) as fleet:
        assert (await cancel(fleet, ended, request_id="one")).reply.body == first.reply.body


async def test_a_queued_one_is_cancelled_once(path: Path) -> None:
    async with gated(path) as (fleet, _):
        execution = await fleet.submit(await fleet.ready(SHEET))
        first = await cancel(fleet, execution, request_id="one")
        assert first.outcome == "CANCELLED_BEFORE_START"
        assert (await cancel(fleet, execution, request_id="one")).reply.body == first.reply.body
    async with drive(path) as fleet:
        assert (await cancel(fleet, execution, request_id="one")).reply.body == first.reply.body


async def test_a_repeat_of_a_cancel_that_waits_gets_the_answer_it_waits_for(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        asked = [asyncio.create_task(cancel(fleet, execution, wait=PATIENCE, request_id="one")) for _ in range(3)]
        assert (await cancel(fleet, execution)).outcome in ("CANCEL_REQUESTED", "ALREADY_CANCELLING")
        gate.opened.set()
        answers = await asyncio.gather(*asked)
        assert len({answer.reply.body for answer in answers}) == 1
        assert sorted(answer.reply.replayed for answer in answers) == [False, True, True]
        later = await cancel(fleet, execution, wait=PATIENCE, request_id="one")
        assert later.reply.body == answers[0].reply.body


async def test_a_request_id_means_one_request(path: Path) -> None:
    async with gated(path) as (fleet, gate):
        execution = await fleet.submit(await fleet.ready(SHEET))
        gate.set("apply")
        run(fleet)
        await gate.reached.wait()
        await cancel(fleet, execution, request_id="one")
        with pytest.raises(InvalidRequest) as refused:
            await cancel(fleet, execution, request_id="one", fingerprint=b"another")
        assert refused.value.reason is Reason.REQUEST_ID_REUSED


FAILING = '(ship.ensure :name "x" :tonnage 0)'
END = {SHEET: ExecutionState.SUCCEEDED, FAILING: ExecutionState.ROLLED_BACK}


@pytest.mark.parametrize(("sheet", "after"), [(SHEET, False), (SHEET, True), (FAILING, False)])
async def test_at_every_single_call_of_the_store_answers_and_end_agree(path: Path, sheet: str, after: bool) -> None:
    """C-I1, C-I2, C-3.2 "completion receipt and cancel in same tick", "double cancel".

    One end, and it is what both answers told, whichever call of a run two cancels meet.
    """
    outcomes: list[set[str]] = []
    met = True
    while met:
        async with gated(path) as (fleet, gate):
            session = await fleet.ready(sheet)
            execution = await fleet.submit(session)
            gate.set(ANY, len(outcomes) + 1, after=after)
            run(fleet)
            ending = asyncio.create_task(fleet.finish(execution))
            reaching = asyncio.create_task(gate.reached.wait())
            await asyncio.wait({ending, reaching}, return_when=asyncio.FIRST_COMPLETED)
            met = reaching.done()
            reaching.cancel()
            if not met:
                gate.opened.set()  # the calls of the cancels are not meant
            asked = [asyncio.create_task(cancel(fleet, execution, wait=PATIENCE, request_id=one)) for one in "ab"]
            await fleet.engine.get_session(session)
            gate.opened.set()
            answers = await asyncio.gather(*asked)
            ended = await ending
            assert all(answer.execution == ended for answer in answers)
            assert await fleet.engine.get_execution(execution) == ended
            assert len(await fleet.engine.list_events(session, 0, 100, ["ExecutionFinished"])) == 1
            outcomes.append({answer.outcome for answer in answers})
            cancelled = bool(outcomes[-1] & {"CANCELLED_BEFORE_START", "CANCEL_REQUESTED"})
            assert ended.state is (ExecutionState.CANCELLED if cancelled else END[sheet])
            assert fleet.rows("SELECT count(*) FROM ships") == [int(ended.state.committed)]
            fleet.change("DELETE FROM voyages")
            fleet.change("DELETE FROM ships")
    assert set.union(*outcomes) >= {"CANCEL_REQUESTED", "ALREADY_CANCELLING", "TOO_LATE_COMMITTING", "ALREADY_FINISHED"}
