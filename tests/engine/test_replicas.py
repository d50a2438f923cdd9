"""Two engines on one database, with clocks and looks that the tests decide on."""

import asyncio

from tests.engine.driving import drive, read
from tests.engine.hands import Hands, drive_by, open_leased, stored
from tests.engine.stopping import gated, run

from sheetgrpc.engine import intents
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
