"""Two engines on one database, with clocks and looks that the tests decide on."""

import asyncio

from tests.engine.driving import drive, read
from tests.engine.hands import Hands, drive_by, open_leased, stored
from tests.engine.stopping import cancel, gated, run
from tests.engine.test_queue import counted
from tests.engine.troubling import AWAY, BUSY, stepped

from sheetgrpc.engine import intents
from sheetgrpc.engine.telling import read_progress
from sheetgrpc.engine.updates import Finished, PhaseCompleted, Snapshot, StatementResults
from sheetgrpc.session.model import ExecutionState, Lifecycle

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'


async def test_a_session_that_is_watched_on_one_server_does_not_expire_on_another(fleet_url: str) -> None:
    hands = Hands()
    async with drive_by(hands, fleet_url, start=False) as one, drive_by(hands, fleet_url, start=False) as two:
        watched, left = await open_leased(one, 9), await open_leased(one, 9)
        watcher = await two.engine.watch_session(watched, 0)
        for _ in range(5):
            hands.go(4)
            await two.engine.sweeper.sweep()
            await one.engine.sweeper.sweep()
        assert (await stored(one, watched)).session.lifecycle is not Lifecycle.EXPIRED
        assert (await stored(one, left)).session.lifecycle is Lifecycle.EXPIRED
        watcher.close()


async def test_what_a_run_tells_elsewhere_is_what_it_tells_here(fleet_url: str) -> None:
    """Update for update, with the same tokens: a stream goes on at either after what it had from the other."""
    async with gated(fleet_url) as (one, gate), drive(fleet_url, start=False) as two:
        await two.engine._replica.start()  # it follows, and has no executor
        execution = await one.submit(await one.ready(SHEET))
        elsewhere = await two.engine.watch(execution, "", include_results=True)
        assert isinstance((await elsewhere.next() or Snapshot).body, Snapshot)
        gate.set("apply")
        run(one)
        await gate.reached.wait()
        here = await one.engine.watch(execution, "", include_results=True)
        reading = asyncio.create_task(read(here))
        gate.opened.set()
        told, relayed = await reading, await read(elsewhere)
        assert [type(update.body) for update in relayed[-2:]] == [type(update.body) for update in told[-2:]]
        assert {PhaseCompleted, StatementResults, Finished} <= {type(update.body) for update in relayed}
        places = {update.token: update for update in told}
        shared = [update for update in relayed if update.token in places]
        assert {PhaseCompleted, StatementResults} <= {type(update.body) for update in shared}
        for update in shared:
            mine = places[update.token]
            assert (mine.epoch, mine.sequence) == (update.epoch, update.sequence)
            if isinstance(update.body, StatementResults):
                assert isinstance(mine.body, StatementResults)
                assert [view.row for view in update.body.results] == [view.row for view in mine.body.results]
        assert [update.sequence for update in relayed] == sorted({update.sequence for update in relayed})


async def test_a_run_whose_lease_was_taken_over_commits_nothing(fleet_url: str) -> None:
    """Its server was away for longer than its lease, and is about to commit."""
    async with gated(fleet_url, replica_lease=0.01) as (one, gate), drive(fleet_url, start=False) as two:
        before = one.dump()
        execution = await one.submit(await one.ready(SHEET))
        gate.set("hold")
        run(one)
        await gate.reached.wait()
        # The session is locked by the run that sleeps: who takes over ends its transaction.
        await two.engine._replica.start()
        assert (await two.finish(execution)).state is ExecutionState.INTERRUPTED
        gate.opened.set()
        assert (await one.finish(execution)).state is ExecutionState.INTERRUPTED
        assert one.dump() == before
        await two.call((await two.engine.get_execution(execution)).session_id, intents.ParseSheet())


async def test_a_run_that_is_to_stop_is_counted_as_that_on_every_server(fleet_url: str) -> None:
    """C-I4: the figures are those of the lists, wherever it runs and wherever that was asked."""
    async with gated(fleet_url) as (one, gate), drive(fleet_url, start=False) as two:
        execution = await one.submit(await one.ready(SHEET))
        gate.set("apply")
        run(one)
        await gate.reached.wait()
        assert (await counted(one), await counted(two)) == ({"RUNNING": 1}, {"RUNNING": 1})
        assert (await cancel(two, execution)).outcome == "CANCEL_REQUESTED"
        assert (await two.engine.queue.stats()).running == 0
        assert await counted(two) == {"CANCELLING": 1}
        gate.opened.set()
        assert (await one.finish(execution)).state is ExecutionState.CANCELLED


async def test_what_was_put_off_here_stays_so_whatever_is_seen_of_the_others(fleet_url: str) -> None:
    """C-R12: a deferral that is not written yet is counted all the same, though somebody watches."""
    async with stepped(fleet_url) as fleet:
        execution = await fleet.queued(SHEET)
        watcher = await fleet.engine.watch(execution, "", False)
        fleet.trouble.give("begin", BUSY, BUSY)
        for number in (1, 2):
            assert await fleet.step()
            follower = fleet.engine._replica._follower
            assert follower is not None
            await follower._look({})
            assert (await fleet.row(execution)).deferral_count == number
            fleet.hands.go(5)
        assert await fleet.step()
        assert (await fleet.engine.store.execution(execution)).deferral_count == 2
        watcher.close()


async def test_the_second_attempt_is_told_elsewhere_without_what_the_first_one_told(fleet_url: str) -> None:
    async with stepped(fleet_url) as one, drive(fleet_url, start=False) as two:
        execution = await one.queued(SHEET)
        here = await one.engine.watch(execution, "", include_results=True)
        await here.next()
        one.trouble.give("apply", AWAY)
        assert await one.step()
        one.hands.go(4)
        assert await one.step()
        told = [update for update in await read(here) if update.epoch == 2]
        await one.engine._replica.ownership.stop()  # what is still to be told is told
        assert two.engine.store.leases is not None
        (row,) = await two.engine.store.leases.told({execution: (2, 0)})
        place, updates = read_progress(row, lambda: told[-1].body.execution)  # type: ignore[union-attr]  # Finished
        assert (place.phases, place.completed) == (0, 0)
        assert [update.token for update in updates] == [update.token for update in told]
