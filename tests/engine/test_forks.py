"""ForkSession in the engine: what a fork begins with, what it shares with its parent (nothing but the past), and when.

F rows and Z-e of the requirements on sessions: the parent is untouched, forks at one time are all valid.
"""

import asyncio
from typing import Any

import pytest
from tests.engine.driving import Driver, describe
from tests.engine.test_undo import SEA, answer, open_texts, session_of, sheet_of

from sheetgrpc.engine import forking, intents
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.errors import Conflict, InvalidRequest, NotAllowed, NotFound, Reason
from sheetgrpc.session.machine import fold
from sheetgrpc.session.model import Client, Lifecycle, Session, State
from sheetgrpc.store.records import SessionFilter, SessionRow

FORK = intents.ForkSession()
CLOSE = intents.CloseSession(Lifecycle.COMPLETED)
SHIP = '(ship.ensure :name "S" :as @s)'


async def fork(fleet: Driver, session: str, at: int = 0, **more: Any) -> Session:
    outcome = await fleet.call(session, intents.ForkSession(at_sequence=at), **more)
    return outcome.session.row.session


def purge(fleet: Driver, session: str) -> None:
    """What a purge leaves of a session: nothing, nor of what is its own."""
    execution, number = ("execution_id", "id") if isinstance(fleet.path, str) else ("execution", "number")
    fleet.change(
        "DELETE FROM sheetgrpc_results"
        f" WHERE {execution} IN (SELECT {number} FROM sheetgrpc_executions WHERE session_id = ?)",
        session,
    )
    for table in ("executions", "scopes", "sheets", "events", "labels"):
        fleet.change(f"DELETE FROM sheetgrpc_{table} WHERE session_id = ?", session)
    fleet.change("DELETE FROM sheetgrpc_sessions WHERE id = ?", session)


async def test_a_fork_is_a_session_of_its_own_with_its_parents_layers(fleet: Driver) -> None:
    """K1, Z-e: the parent is recorded and untouched; events are not copied."""
    created = intents.CreateSession("night", Client("cli", "1.0", "prod"), "analyst", "T-1", {"ticket": 7}, ("mine",))
    parent = (await fleet.call("", created)).session.row.session.id
    await fleet.ready(SHIP, parent)
    before = (await fleet.engine.get_session(parent)).row
    child = await fork(fleet, parent)
    assert (await fleet.engine.get_session(parent)).row == before
    assert (child.parent_id, child.state, child.lifecycle) == (parent, State.READY, Lifecycle.PENDING)
    assert (child.version, child.labels, child.undo, child.redo) == (1, (), (), ())
    assert (child.name, child.role, child.task_id, child.metadata) == ("night", "analyst", "T-1", {"ticket": 7})
    assert child.client == Client("cli")  # K2: its target may be another, and its version too
    (row,) = await fleet.engine.list_events(child.id, 0, 10, ())
    assert fold([row.event]) == child
    listed = await fleet.engine.list_sessions(SessionFilter(parent_id=parent), 10, None)
    assert [view.row.session.id for view in listed] == [child.id]


async def test_a_fork_has_the_name_it_is_given(fleet: Driver) -> None:
    parent = await fleet.open("one")
    outcome = await fleet.call(parent, intents.ForkSession(name="two"))
    assert outcome.session.row.session.name == "two"


async def test_a_fork_runs_by_itself_and_its_parent_later(fleet: Driver) -> None:
    parent = await fleet.ready(SHIP)
    child = await fork(fleet, parent)
    ended = await fleet.finish(await fleet.submit(child.id))
    assert (ended.state.value, ended.session_id) == ("SUCCEEDED", child.id)
    assert await fleet.state(parent) is State.READY
    assert (await fleet.finish(await fleet.submit(parent))).state.value == "SUCCEEDED"
    assert fleet.rows("SELECT name FROM ships") == ["S"]


async def test_scope_and_sheet_are_copies_that_outlive_the_parent(fleet: Driver) -> None:
    ran = await fleet.run('(ship.ensure :name "a") (ship.ensure :name "b")')
    parent = await fleet.open()
    await fleet.call(parent, intents.SetScope("ship", all=True))
    await fleet.call(parent, intents.SetTemplate("(ship.load :ship @ship :tonnage 9)"))
    await fleet.call(parent, intents.ConfirmIntent())
    await fleet.call(parent, intents.GenerateSheet())
    await fleet.call(parent, intents.ParseSheet())
    old = await session_of(fleet, parent)
    child = await fork(fleet, parent)
    assert child.scope is not None
    assert child.sheet is not None
    assert old.scope is not None
    assert old.sheet is not None
    assert len({old.scope.id, old.sheet.id, child.scope.id, child.sheet.id, child.id}) == 5
    assert child.sheet.digest == old.sheet.digest
    purge(fleet, parent)
    statements = await fleet.engine.sheets.statements(child.id, "", -1, 10, None)
    assert [one.entity_id for one in statements] == sorted(ran.keys)  # what each was generated for
    await fleet.finish(await fleet.submit(child.id))
    assert fleet.rows("SELECT tonnage FROM ships") == [9, 9]
    await fleet.call(child.id, intents.SetTemplate("(ship.load :ship @ship :tonnage 1)"))
    await fleet.call(child.id, intents.ConfirmIntent())
    await fleet.call(child.id, intents.GenerateSheet())


async def test_a_fork_has_the_answers_as_of_its_event_and_gives_its_own(fleet: Driver) -> None:
    ran = await fleet.run('(ship.ensure :name "Ocean")')
    ocean = str(ran.keys[0])
    parent = await fleet.open()
    await fleet.parse(parent, SEA)
    await answer(fleet, parent, "Sea", ocean, same=True)
    await answer(fleet, parent, "Se", ocean)
    await fleet.call(parent, intents.ImportSheet("(port.list)"))
    assert [(await fork(fleet, parent, at)).state.value for at in range(1, 7)] == [
        "EMPTY",
        "GENERATED",
        "RESOLVING",
        "RESOLVING",
        "READY",
        "GENERATED",
    ]
    child = await fork(fleet, parent, 4)
    assert await open_texts(fleet, child.id) == ["Se"]
    outcome = await answer(fleet, child.id, "Se", ocean)
    assert outcome.session.row.session.state is State.READY
    outcome = await fleet.call(child.id, intents.UndoSession())
    assert outcome.session.row.session.state is State.RESOLVING
    assert await open_texts(fleet, child.id) == ["Se"]


async def test_the_answers_of_the_current_sheet_are_not_those_of_an_earlier_event(fleet: Driver) -> None:
    ran = await fleet.run('(ship.ensure :name "Ocean")')
    parent = await fleet.open()
    await fleet.parse(parent, SEA)
    await answer(fleet, parent, "Sea", str(ran.keys[0]), same=True)
    child = await fork(fleet, parent, 3)
    assert await open_texts(fleet, child.id) == ["Sea", "Se", "Sea"]
    assert await open_texts(fleet, parent) == ["Se"]


@pytest.mark.parametrize("at", [-1, 4, 2**62])
async def test_an_event_that_there_is_not_cannot_be_forked_at(fleet: Driver, at: int) -> None:
    parent = await fleet.ready(SHIP)
    with pytest.raises(InvalidRequest) as refused:
        await fork(fleet, parent, at)
    assert (refused.value.reason, refused.value.violations[0].field) == (Reason.INVALID_FIELD, "at_sequence")


async def test_an_event_that_is_not_kept_any_more_cannot_be_forked_at_but_now_can(fleet: Driver) -> None:
    parent = await fleet.ready(SHIP)
    fleet.change("DELETE FROM sheetgrpc_events WHERE session_id = ? AND sequence < 3", parent)
    with pytest.raises(InvalidRequest) as refused:
        await fork(fleet, parent, 2)
    assert refused.value.violations[0].field == "at_sequence"
    assert (await fork(fleet, parent)).state is State.READY


async def test_a_fork_is_answered_with_its_own_log_though_its_parents_was_trimmed(fleet: Driver) -> None:
    parent = await fleet.open()
    for name in ("one", "two", "three"):
        await fleet.call(parent, intents.UpdateSession(name=name))
    row = (await fleet.engine.get_session(parent)).row
    base = fold([logged.event for logged in await fleet.engine.list_events(parent, 0, 2, ())])
    assert await fleet.engine.store.upkeep.trim(row.session, base)
    assert (await fleet.engine.get_session(parent)).row.oldest_sequence == 3
    answered = (await fleet.call(parent, FORK)).session
    assert answered == await fleet.engine.get_session(answered.row.session.id)
    assert answered.row.oldest_sequence == 1


async def test_a_session_that_there_is_not_cannot_be_forked(fleet: Driver) -> None:
    with pytest.raises(NotFound) as refused:
        await fork(fleet, "nobody")
    assert refused.value.reason is Reason.SESSION_NOT_FOUND


async def test_a_session_that_has_ended_can_be_forked_and_stays_as_it_was(fleet: Driver) -> None:
    parent = await fleet.ready(SHIP)
    await fleet.call(parent, CLOSE)
    before = (await fleet.engine.get_session(parent)).row
    child = await fork(fleet, parent)
    assert (child.state, child.lifecycle, child.ended_at) == (State.READY, Lifecycle.PENDING, None)
    assert (await fleet.engine.get_session(parent)).row == before


async def test_a_session_that_executes_is_forked_as_ready(fleet: Driver) -> None:
    parent = await fleet.ready('(slow.work :name "slow")')
    execution = await fleet.submit(parent, within=300_000)
    child = await fork(fleet, parent)
    assert await fleet.state(parent) is State.EXECUTING
    assert (child.state, child.execution_id, child.last_execution_id) == (State.READY, "", "")
    assert (await fleet.finish(execution)).state.value == "TIMED_OUT"
    again = await fork(fleet, parent)
    assert (again.state, again.last_execution_id, again.progress_total) == (State.READY, "", 0)


async def test_an_applied_sheet_stays_applied_in_a_fork_with_all_that_was_found_of_it(fleet: Driver) -> None:
    ran = await fleet.run(SHIP + " (voyage.ensure :ship @s :number 1)")
    child = await fork(fleet, ran.session)
    assert child.sheet is not None
    assert (child.state, child.sheet.spent, child.last_execution_succeeded) == (State.EXECUTED, True, False)
    for intent in (intents.ParseSheet(), intents.SubmitSheet(confirm=True)):
        with pytest.raises(NotAllowed) as refused:
            await fleet.call(child.id, intent)
        assert refused.value.reason is Reason.SHEET_ALREADY_APPLIED
    old, new = await sheet_of(fleet, ran.session), await sheet_of(fleet, child.id)
    assert (new.phases, new.diagnostics, new.phase_count) == (old.phases, old.diagnostics, 2)


async def test_symbols_committed_by_then_may_be_used_and_later_ones_not(fleet: Driver) -> None:
    parent = (await fleet.run(SHIP)).session
    by_then = (await session_of(fleet, parent)).version
    await fleet.run('(ship.ensure :name "T" :as @t)', session=parent)
    early = await fleet.call(parent, intents.ForkSession(at_sequence=by_then))
    late = await fleet.call(parent, FORK)
    for outcome, names in ((early, ["s"]), (late, ["s", "t"])):
        row = outcome.session.row
        assert (row.symbol_count, [symbol.name for symbol in row.symbols]) == (len(names), names)
        assert [one.name for one in await fleet.engine.list_symbols(row.session.id, "", 10)] == names
    ran = await fleet.run("(ship.load :ship @s :tonnage 4)", session=early.session.row.session.id)
    assert ran.state == "SUCCEEDED"
    outcome = await fleet.parse(early.session.row.session.id, "(ship.load :ship @t :tonnage 4)")
    assert outcome.session.row.session.state is State.PARSED


async def test_symbols_go_with_the_purge_of_the_parent_and_the_fork_says_so(fleet: Driver) -> None:
    """They are the results of the parent's executions: a sheet that uses one then has an undefined symbol."""
    parent = (await fleet.run(SHIP)).session
    child = (await fork(fleet, parent)).id
    await fleet.ready("(ship.load :ship @s :tonnage 4)", child)
    purge(fleet, parent)
    outcome = await fleet.call(child, intents.ParseSheet())
    assert outcome.session.row.session.state is State.PARSED
    assert outcome.sheet is not None
    assert [found.diagnostic.code for found in outcome.sheet.diagnostics] == ["UNDEFINED_SYMBOL"]
    assert await fleet.engine.list_symbols(child, "", 10) == []


async def test_forks_made_at_once_are_all_valid(fleet: Driver) -> None:
    """Z-e, D-39: no swap is lost, for there is none."""
    parent = await fleet.ready(SHIP)
    made = await asyncio.gather(*(fork(fleet, parent) for _ in range(8)))
    assert len({child.id for child in made}) == 8
    assert {child.parent_id for child in made} == {parent}
    assert {child.state for child in made} == {State.READY}


class _Overtaken(forking.ForkSession):
    """A fork that was prepared with the parent as it was before somebody resolved a name, and then once more."""

    def __init__(self, fleet: Driver, parent: str, key: str, done: list[State]) -> None:
        super().__init__(fleet.engine._context, FORK, "anna")
        self._fleet, self._parent, self._key, self._done = fleet, parent, key, done

    async def prepare(self, row: SessionRow | None) -> None:
        if not self._done:
            outcome = await answer(self._fleet, self._parent, "Se", self._key)
            self._done.append(outcome.session.row.session.state)
        await super().prepare(row)


async def test_a_fork_that_was_overtaken_begins_with_what_overtook_it(fleet: Driver) -> None:
    """What is chosen while a fork is prepared is in its layers and in its tables, or in neither."""
    ran = await fleet.run('(ship.ensure :name "Ocean")')
    parent = await fleet.open()
    await fleet.parse(parent, SEA)
    key = str(ran.keys[0])
    done: list[State] = []
    reply = await fleet.engine._handler.handle(
        Envelope("anna", "ForkSession", parent), lambda: _Overtaken(fleet, parent, key, done), describe
    )
    child = await session_of(fleet, reply.body.decode().split()[0])
    assert child.sheet is not None
    assert [choice.entity_id for choice in child.sheet.choices] == [key]
    assert await open_texts(fleet, child.id) == ["Sea", "Sea"]


async def test_forks_of_forks_are_a_tree(fleet: Driver) -> None:
    """D-39: every parent is older than its child, so no way leads back."""
    session = await fleet.ready(SHIP)
    line = [session]
    for _ in range(4):
        line.append((await fork(fleet, line[-1])).id)
    parents = [(await session_of(fleet, one)).parent_id for one in line]
    assert parents == ["", *line[:-1]]
    assert line == sorted(line)
    assert await fleet.state(line[-1]) is State.READY


async def test_the_version_expected_is_the_parents(fleet: Driver) -> None:
    parent = await fleet.ready(SHIP)
    assert (await fork(fleet, parent, expected_version=3)).version == 1
    with pytest.raises(Conflict) as refused:
        await fork(fleet, parent, expected_version=2)
    assert refused.value.reason is Reason.VERSION_CONFLICT


async def test_a_repeat_makes_no_second_fork(fleet: Driver) -> None:
    parent = await fleet.ready(SHIP)
    first = await fleet.send(parent, FORK, "r")
    await fleet.call(parent, intents.ImportSheet("(port.list)"))
    again = await fleet.send(parent, FORK, "r")
    assert (again.replayed, again.body) == (True, first.body)
    assert len(await fleet.engine.list_sessions(SessionFilter(parent_id=parent), 10, None)) == 1


async def test_who_watches_the_parent_sees_nothing_of_its_forks(fleet: Driver) -> None:
    parent = await fleet.ready(SHIP)
    watcher = await fleet.engine.watch_session(parent, 3)
    await fork(fleet, parent)
    await fleet.call(parent, CLOSE)
    told = [await watcher.next(), await watcher.next()]
    watcher.close()
    assert [getattr(one, "sequence", None) for one in told] == [4, None]
