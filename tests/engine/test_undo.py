"""UndoSession and RedoSession in the engine: what was chosen by hand, and what catalog and tables have become since."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.engine.driving import HERE, Driver, drive
from tests.engine.places import Place

from sheetgrpc.engine import intents, undoing
from sheetgrpc.engine.views import Outcome, SheetView
from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.session.machine import fold
from sheetgrpc.session.model import Session, State

SEA = "(voyage.ensure :ship <Sea> :number 1) (voyage.ensure :ship <Se> :number 2) (ship.load :ship <Sea> :tonnage 7)"
UNDO, REDO = intents.UndoSession(), intents.RedoSession()


@pytest.fixture
async def ships(fleet: Driver) -> dict[str, str]:
    ran = await fleet.run('(ship.ensure :name "Sea Star") (ship.ensure :name "Ocean")')
    return {"Sea Star": ran.keys[0], "Ocean": ran.keys[1]}


async def session_of(fleet: Driver, session: str) -> Session:
    return (await fleet.engine.get_session(session)).row.session


async def open_texts(fleet: Driver, session: str) -> list[str]:
    """The names that wait for an answer, as the tables have them."""
    rows = await fleet.engine.sheets.references(session, "", -1, 100, unresolved_only=True)
    return [one.row.reference.text for one in rows]


async def answer(fleet: Driver, session: str, text: str, key: str, *, same: bool = False) -> Outcome:
    rows = await fleet.engine.sheets.references(session, "", -1, 100, unresolved_only=False)
    ref_id = next(one.row.reference.ref_id for one in rows if one.row.reference.text == text)
    return await fleet.call(session, intents.ResolveReference(ref_id, key, apply_to_same_text=same))


async def sheet_of(fleet: Driver, session: str) -> SheetView:
    return await fleet.engine.sheets.get(session, "")


async def test_an_answer_that_is_undone_is_asked_for_again_and_redo_gives_it(
    fleet: Driver, ships: dict[str, str]
) -> None:
    session = await fleet.open()
    await fleet.parse(session, SEA)
    await answer(fleet, session, "Sea", ships["Ocean"], same=True)
    await answer(fleet, session, "Se", ships["Sea Star"])
    assert (await session_of(fleet, session)).state is State.READY
    for texts, count in ((["Se"], 1), (["Sea", "Se", "Sea"], 3)):
        outcome = await fleet.call(session, UNDO)
        after = outcome.session.row.session
        assert after.sheet is not None
        assert (after.state, after.sheet.unresolved_count) == (State.RESOLVING, count)
        assert await open_texts(fleet, session) == texts
        assert (await sheet_of(fleet, session)).unresolved_count == count
    for count, state in ((1, State.RESOLVING), (0, State.READY)):
        outcome = await fleet.call(session, REDO)
        assert outcome.session.row.session.state is state
        assert len(await open_texts(fleet, session)) == count
    await fleet.finish(await fleet.submit(session))
    assert fleet.rows("SELECT ship_id FROM voyages ORDER BY number") == [ships["Ocean"], ships["Sea Star"]]
    assert fleet.rows("SELECT tonnage FROM ships WHERE name = 'Ocean'") == [7]


async def test_an_undone_answer_does_not_come_back_with_the_next_parse(fleet: Driver, ships: dict[str, str]) -> None:
    session = await fleet.open()
    await fleet.parse(session, SEA)
    await answer(fleet, session, "Se", ships["Ocean"])
    await fleet.call(session, UNDO)
    outcome = await fleet.call(session, intents.ParseSheet())
    assert outcome.sheet is not None
    assert outcome.sheet.unresolved_count == 3


async def test_of_two_answers_the_earlier_is_back_after_undo_and_runs(fleet: Driver, ships: dict[str, str]) -> None:
    session = await fleet.open()
    await fleet.parse(session, "(voyage.ensure :ship <Sea> :number 1)")
    for name in ("Sea Star", "Ocean"):
        await answer(fleet, session, "Sea", ships[name])
    await fleet.call(session, UNDO)
    await fleet.finish(await fleet.submit(session))
    assert fleet.rows("SELECT ship_id FROM voyages") == [ships["Sea Star"]]


async def test_a_parse_that_is_undone_leaves_a_sheet_of_which_nothing_is_known(
    fleet: Driver, ships: dict[str, str]
) -> None:
    session = await fleet.open()
    await fleet.parse(session, SEA)
    after = (await fleet.call(session, UNDO)).session.row.session
    assert after.sheet is not None
    assert after.state is State.GENERATED
    assert fleet.engine._context.analyst.recall(after.sheet.id) is None
    sheet = await sheet_of(fleet, session)
    assert (sheet.statement_count, sheet.unresolved_count, sheet.unresolved_references) == (0, 0, [])
    assert await open_texts(fleet, session) == []
    outcome = await fleet.call(session, REDO)
    assert outcome.session.row.session.state is State.RESOLVING
    assert len(await open_texts(fleet, session)) == 3


async def test_another_sheet_that_is_undone_gives_the_earlier_one_back_with_its_answers(
    fleet: Driver, ships: dict[str, str]
) -> None:
    session = await fleet.open()
    await fleet.parse(session, SEA)
    await answer(fleet, session, "Sea", ships["Ocean"], same=True)
    before = await sheet_of(fleet, session)
    await fleet.parse(session, '(ship.ensure :name "other")')
    await fleet.call(session, UNDO)
    outcome = await fleet.call(session, UNDO)
    assert outcome.session.row.session.state is State.RESOLVING
    assert await sheet_of(fleet, session) == before
    assert [one.verb for one in await fleet.engine.sheets.statements(session, "", -1, 9, None)] == [
        "voyage.ensure",
        "voyage.ensure",
        "ship.load",
    ]


async def test_a_restored_sheet_tells_what_the_tables_have_now(fleet: Driver, ships: dict[str, str]) -> None:
    """The row that was chosen is gone: the name is open again. It was ready when it was left."""
    session = await fleet.open()
    await fleet.parse(session, "(voyage.ensure :ship <Sea> :number 1)")
    await answer(fleet, session, "Sea", ships["Ocean"])
    await fleet.call(session, intents.ResetSession(State.EMPTY))
    fleet.change("DELETE FROM ships WHERE name = 'Ocean'")
    outcome = await fleet.call(session, UNDO)
    assert outcome.session.row.session.state is State.RESOLVING
    assert await open_texts(fleet, session) == ["Sea"]


async def test_a_name_that_bound_itself_stays_bound_though_it_has_become_ambiguous(fleet: Driver) -> None:
    await fleet.run('(port.ensure :code "A" :name "Porto")')
    session = await fleet.ready('(port.rename :port <Porto> :name "x")')
    await fleet.call(session, intents.ParseSheet())
    await fleet.run('(port.ensure :code "B" :name "Porto")')
    outcome = await fleet.call(session, UNDO)
    assert outcome.session.row.session.state is State.READY
    await fleet.finish(await fleet.submit(session))
    assert fleet.rows("SELECT code, name FROM ports ORDER BY code") == [("A", "x"), ("B", "Porto")]


async def test_scope_and_template_are_undone_and_generate_the_same_again(fleet: Driver, ships: dict[str, str]) -> None:
    """S-R11."""
    session = await fleet.open()
    await fleet.call(session, intents.SetScope("ship", all=True))
    await fleet.call(session, intents.SetTemplate("(ship.load :ship @ship :tonnage 9)"))
    await fleet.call(session, intents.ConfirmIntent())
    await fleet.call(session, intents.SetScope("ship", entity_ids=(ships["Ocean"],)))
    outcome = await fleet.call(session, UNDO)
    after = outcome.session.row.session
    assert after.template is not None
    assert (after.state, after.template.confirmed) == (State.TEMPLATED, True)
    await fleet.call(session, intents.GenerateSheet())
    outcome = await fleet.call(session, intents.ParseSheet())
    assert outcome.sheet is not None
    assert outcome.sheet.statement_count == 2


async def test_a_run_that_failed_is_undone_to_ready_and_may_run_again(fleet: Driver) -> None:
    ran = await fleet.run('(sailor.hire :email "x" :age 3)')
    assert ran.state == "ROLLED_BACK"
    outcome = await fleet.call(ran.session, UNDO)
    after = outcome.session.row.session
    assert (after.state, after.last_execution_id, after.progress_total) == (State.READY, "", 0)
    assert (await fleet.finish(await fleet.submit(ran.session))).state == "ROLLED_BACK"


async def test_nothing_from_before_a_commit_is_undone_and_a_spent_sheet_stays_spent(fleet: Driver) -> None:
    """S-R11."""
    ran = await fleet.run('(ship.ensure :name "S" :as @s)')
    with pytest.raises(NotAllowed) as refused:
        await fleet.call(ran.session, UNDO)
    assert refused.value.reason is Reason.ACTION_NOT_ALLOWED
    assert "UndoSession" not in refused.value.metadata["allowedActions"]
    await fleet.parse(ran.session, "(ship.load :ship @s :tonnage 3)")
    await fleet.call(ran.session, UNDO)
    outcome = await fleet.call(ran.session, UNDO)
    after = outcome.session.row.session
    assert after.sheet is not None
    assert (after.state, after.sheet.spent, after.committed) == (State.EXECUTED, True, (ran.execution.id,))
    assert outcome.session.row.symbol_count == 1
    with pytest.raises(NotAllowed) as refused:
        await fleet.call(ran.session, intents.ParseSheet())
    assert refused.value.reason is Reason.SHEET_ALREADY_APPLIED


def write_catalog(path: Path) -> str:
    """A catalog with one verb more."""
    more = "  port.all: {kind: select, entity: port, by: [], columns: [code], arguments: {}}\n"
    path.write_text((HERE / "fleet.yaml").read_text() + more)
    return str(path)


async def test_a_restored_sheet_of_another_catalog_is_generated_and_its_answers_wait_for_the_parse(
    path: Place, file: Path
) -> None:
    async with drive(path) as fleet:
        ran = await fleet.run('(ship.ensure :name "Ocean")')
        session = await fleet.open()
        await fleet.parse(session, SEA)
        await answer(fleet, session, "Sea", str(ran.keys[0]), same=True)
        await fleet.call(session, intents.ImportSheet("(port.list)"))
    async with drive(path, catalog=write_catalog(file.with_suffix(".yaml"))) as fleet:
        outcome = await fleet.call(session, UNDO)
        after = outcome.session.row.session
        assert after.sheet is not None
        assert (after.state, after.sheet.unresolved_count, len(after.sheet.choices)) == (State.GENERATED, 0, 1)
        assert await open_texts(fleet, session) == []
        outcome = await fleet.call(session, intents.ParseSheet())
        assert outcome.session.row.session.state is State.RESOLVING
        assert await open_texts(fleet, session) == ["Se"]


async def test_undo_is_done_once_for_a_request_id_and_told_again(fleet: Driver) -> None:
    session = await fleet.ready('(ship.ensure :name "S")')
    first = await fleet.send(session, UNDO, "r")
    again = await fleet.send(session, UNDO, "r")
    assert (again.replayed, again.body) == (True, first.body)
    assert (await session_of(fleet, session)).state is State.GENERATED


async def test_the_log_tells_what_was_restored_and_folds_to_the_session(
    fleet: Driver, ships: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in pages of two, as a long log is."""
    monkeypatch.setattr(undoing, "_PAGE", 2)
    session = await fleet.open()
    await fleet.parse(session, SEA)
    await answer(fleet, session, "Se", ships["Ocean"])
    for intent in (UNDO, UNDO, REDO, intents.SetScope("ship", all=True), UNDO):
        await fleet.call(session, intent)
    rows = await fleet.engine.list_events(session, 0, 100, ())
    assert fold(row.event for row in rows) == await session_of(fleet, session)
    undone = await fleet.engine.list_events(session, 0, 100, ("SessionUndone",))
    assert [msgspec.to_builtins(row.event)["sequence"] for row in undone] == [3, 2, 7]


async def test_what_the_log_does_not_keep_any_more_cannot_be_undone(fleet: Driver) -> None:
    session = await fleet.ready('(ship.ensure :name "S")')
    before = await session_of(fleet, session)
    fleet.change("DELETE FROM sheetgrpc_events WHERE session_id = ? AND sequence < 2", session)
    with pytest.raises(NotAllowed, match="not kept any more"):
        await fleet.call(session, UNDO)
    assert await session_of(fleet, session) == before


async def test_a_read_that_began_before_an_undo_keeps_nothing_of_what_was(fleet: Driver, ships: dict[str, str]) -> None:
    """An analysis that was begun with the answer must not be what the next run takes."""
    session = await fleet.open()
    await fleet.parse(session, "(voyage.ensure :ship <Sea> :number 1)")
    await answer(fleet, session, "Sea", ships["Ocean"])
    sheet = (await session_of(fleet, session)).sheet
    assert sheet is not None
    analyst = fleet.engine._context.analyst
    old = analyst.recall(sheet.id)
    assert old is not None
    mark = analyst.mark(sheet.id)
    await fleet.call(session, UNDO)
    analyst.keep(sheet.id, old, mark)
    kept = analyst.recall(sheet.id)
    assert kept is not None
    assert kept.unresolved_count == 1


async def test_symbols_that_a_reset_forgot_are_missing_in_the_sheet_that_undo_gives_back(fleet: Driver) -> None:
    session = (await fleet.run('(ship.ensure :name "S" :as @s)')).session
    await fleet.ready("(ship.load :ship @s :tonnage 3)", session)
    await fleet.call(session, intents.ResetSession(State.EMPTY))
    outcome = await fleet.call(session, UNDO)
    assert (outcome.session.row.session.state, outcome.session.row.symbol_count) == (State.PARSED, 0)
    (found,) = (await sheet_of(fleet, session)).diagnostics
    assert found.diagnostic.code == "UNDEFINED_SYMBOL"


async def test_undos_that_meet_undo_a_step_each(fleet: Driver) -> None:
    session = await fleet.ready('(ship.ensure :name "S")')
    outcomes = await asyncio.gather(*(fleet.call(session, UNDO) for _ in range(2)))
    assert {outcome.session.row.session.state for outcome in outcomes} == {State.GENERATED, State.EMPTY}
    assert (await session_of(fleet, session)).redo == (3, 4)
