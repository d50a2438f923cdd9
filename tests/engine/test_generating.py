"""Template times scope: which entities, in which order, and where every statement came from."""

import pytest
from tests.engine.driving import UNUSED, Driver, drive
from tests.engine.places import Place

from sheetgrpc.engine import intents
from sheetgrpc.errors import InvalidRequest, LimitExceeded, NotAllowed, NotFound, Reason, SheetError
from sheetgrpc.session.model import State

TEMPLATE = "(voyage.ensure :ship @ship :number 7 :as @v) ; two statements a ship\n(call.set :voyage @v :port @p)"


@pytest.fixture
async def ships(fleet: Driver) -> list[str]:
    """Keys of D, C, B, A, which rise in this order."""
    ran = await fleet.run("".join(f'(ship.ensure :name "{name}" :tonnage {ord(name)})' for name in "DCBA"))
    return ran.keys


async def _generate(fleet: Driver, session: str, template: str) -> str:
    await fleet.call(session, intents.SetTemplate(template))
    await fleet.call(session, intents.ConfirmIntent())
    outcome = await fleet.call(session, intents.GenerateSheet())
    assert outcome.sheet is not None
    return outcome.sheet.id


async def _scoped(fleet: Driver, session: str) -> list[object]:
    """The scope's keys, as a template shows them."""
    sheet = await _generate(fleet, session, "(ship.load :ship @ship :tonnage 1)")
    await fleet.call(session, intents.ParseSheet())
    return [view.entity_id for view in await fleet.engine.sheets.statements("", sheet, -1, 1000, None)]


async def test_a_scope_of_ids_keeps_their_order_and_drops_repeats(fleet: Driver, ships: list[str]) -> None:
    d, c, b, a = ships
    session = await fleet.open()
    outcome = await fleet.call(session, intents.SetScope("ship", entity_ids=(b, d, b.upper(), a, d)))
    scope = outcome.session.row.session.scope
    assert scope is not None
    assert (scope.entity_type, scope.entity_count) == ("ship", 3)
    assert await _scoped(fleet, session) == [b, d, a]
    assert c not in await _scoped(fleet, session)


async def test_a_scope_by_filter_is_in_key_order(fleet: Driver, ships: list[str]) -> None:
    session = await fleet.open()
    await fleet.call(session, intents.SetScope("ship", equals={"active": "1"}))
    assert await _scoped(fleet, session) == sorted(ships)
    await fleet.call(session, intents.SetScope("ship", equals={"active": "1", "name": "C"}))
    assert await _scoped(fleet, session) == [ships[1]]


async def test_a_scope_of_all_is_in_key_order(fleet: Driver, ships: list[str]) -> None:
    session = await fleet.open()
    await fleet.call(session, intents.SetScope("ship", all=True))
    assert await _scoped(fleet, session) == sorted(ships)


async def test_integer_keys_are_in_the_order_of_numbers(fleet: Driver) -> None:
    await fleet.run("".join(f'(port.ensure :code "{at}")' for at in range(12)))
    session = await fleet.open()
    await fleet.call(session, intents.SetScope("port", all=True))
    sheet = await _generate(fleet, session, '(port.rename :port @port :name "x")')
    await fleet.call(session, intents.ParseSheet())
    views = await fleet.engine.sheets.statements("", sheet, -1, 100, None)
    assert [view.entity_id for view in views] == list(range(1, 13))
    assert [view.source for view in views][:2] == ['(port.rename :port 1 :name "x")', '(port.rename :port 2 :name "x")']


@pytest.mark.parametrize(
    ("intent", "kind", "reason"),
    [
        (intents.SetScope("ship", entity_ids=(UNUSED,)), NotFound, Reason.ENTITY_NOT_FOUND),
        (intents.SetScope("ship", entity_ids=("no key",)), InvalidRequest, Reason.INVALID_FIELD),
        (intents.SetScope("port", entity_ids=("1x",)), InvalidRequest, Reason.INVALID_FIELD),
        (intents.SetScope("boat", all=True), InvalidRequest, Reason.INVALID_FIELD),
        (intents.SetScope("ship", equals={"rowid": "1"}), InvalidRequest, Reason.INVALID_FIELD),
        (intents.SetScope("ship", equals={"name": "none"}), NotAllowed, Reason.EMPTY_SCOPE),
        (intents.SetScope("port", all=True), NotAllowed, Reason.EMPTY_SCOPE),
        (intents.SetScope("ship", entity_ids=()), NotAllowed, Reason.EMPTY_SCOPE),
    ],
)
async def test_a_scope_that_means_nothing_is_refused(
    fleet: Driver, ships: list[str], intent: intents.SetScope, kind: type[SheetError], reason: Reason
) -> None:
    session = await fleet.open()
    with pytest.raises(kind) as refused:
        await fleet.call(session, intent)
    assert refused.value.reason is reason
    assert await fleet.state(session) is State.EMPTY


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("", ""),
        ("(voyage.ensure :ship @ship", ""),
        ("(port.list)", ""),
        ('(ship.load :ship "@ship" :tonnage 1)', ""),
        ("(ship.load :ship @ship2 :tonnage 1)", ""),
        ('(ship.ensure :name "x" :as @ship) (ship.load :ship @ship :tonnage 1)', ""),
        ('(port.rename :port @port :name "x")', "port"),
    ],
    ids=["empty", "syntax", "unused", "in a string", "a longer name", "binds its own", "another type"],
)
async def test_a_template_that_cannot_be_used_is_refused(
    fleet: Driver, ships: list[str], source: str, target: str
) -> None:
    session = await fleet.open()
    await fleet.call(session, intents.SetScope("ship", all=True))
    with pytest.raises(InvalidRequest) as refused:
        await fleet.call(session, intents.SetTemplate(source, target))
    assert refused.value.reason is Reason.INVALID_TEMPLATE
    assert await fleet.state(session) is State.SCOPED


async def test_every_statement_knows_its_entity_and_its_template_statement(fleet: Driver, ships: list[str]) -> None:
    """And the symbols of the template are each entity's own."""
    session = (await fleet.run('(port.ensure :code "P" :as @p)')).session
    scope = [ships[2], ships[0]]
    await fleet.call(session, intents.SetScope("ship", entity_ids=tuple(scope)))
    await _generate(fleet, session, TEMPLATE)
    outcome = await fleet.call(session, intents.ParseSheet())
    assert outcome.session.row.session.state is State.READY
    views = await fleet.engine.sheets.statements(session, "", -1, 10, None)
    assert [(view.entity_id, view.template_statement) for view in views] == [
        (scope[0], 0), (scope[0], 1), (scope[1], 0), (scope[1], 1),
    ]  # fmt: skip
    assert [view.produces for view in views] == ["v-1", "", "v-2", ""]
    assert [view.depth for view in views] == [0, 1, 0, 1]
    execution = await fleet.finish(await fleet.submit(session))
    assert execution.state.value == "SUCCEEDED"
    assert fleet.rows(
        "SELECT v.ship_id, c.port_no FROM calls AS c JOIN voyages AS v USING (voyage_id) ORDER BY 1 DESC"
    ) == [(key, 1) for key in sorted(scope, reverse=True)]


async def test_a_template_is_expanded_beside_the_loop_as_it_is_on_it(fleet: Driver, ships: list[str]) -> None:
    """Beyond the inline limit it is the worker's; digest and text are the same as those of the same sheet imported."""
    session = await fleet.open()
    await fleet.call(session, intents.SetScope("ship", all=True))
    long = "".join(f'(voyage.ensure :ship @ship :number {at} :meta "@ship {"x" * 60}")\n' for at in range(200))
    sheet = await _generate(fleet, session, long)
    stored = await fleet.engine.store.sheet(sheet)
    assert stored.source.decode().splitlines() == [
        f'(voyage.ensure :ship "{key}" :number {at} :meta "@ship {"x" * 60}")'
        for key in sorted(ships)
        for at in range(200)
    ]
    other = await fleet.open()
    outcome = await fleet.call(other, intents.ImportSheet(stored.source.decode()))
    assert outcome.sheet is not None
    assert outcome.sheet.digest == stored.digest


async def test_limits_are_checked_before_anything_is_made(path: Place) -> None:
    async with drive(path, max_statements=5, max_scope_entities=3, max_source_bytes=400) as limited:
        for name in "ABCD":
            await limited.run(f'(ship.ensure :name "{name}")')
        session = await limited.open()
        with pytest.raises(LimitExceeded) as refused:
            await limited.call(session, intents.SetScope("ship", all=True))
        assert (refused.value.metadata["limit"], refused.value.metadata["actual"]) == ("3", "4")
        keys = tuple(limited.rows("SELECT ship_id FROM ships"))
        with pytest.raises(LimitExceeded):
            await limited.call(session, intents.SetScope("ship", entity_ids=keys))
        await limited.call(session, intents.SetScope("ship", entity_ids=keys[:3]))
        await limited.call(session, intents.SetTemplate("(ship.load :ship @ship :tonnage 1) (ship.scrap :ship @ship)"))
        await limited.call(session, intents.ConfirmIntent())
        with pytest.raises(LimitExceeded) as refused:
            await limited.call(session, intents.GenerateSheet())
        assert refused.value.metadata == {"what": "statements", "limit": "5", "actual": "6"}
        with pytest.raises(LimitExceeded):
            await limited.call(session, intents.ImportSheet(" " * 401))


async def test_an_intent_must_be_confirmed(fleet: Driver, ships: list[str]) -> None:
    session = await fleet.open()
    await fleet.call(session, intents.SetScope("ship", all=True))
    await fleet.call(session, intents.SetTemplate("(ship.scrap :ship @ship)"))
    with pytest.raises(NotAllowed) as refused:
        await fleet.call(session, intents.GenerateSheet())
    assert refused.value.reason is Reason.ACTION_NOT_ALLOWED
    assert "ConfirmIntent" in refused.value.metadata["allowedActions"]


async def test_symbols_outlive_a_new_scope_and_not_a_reset(fleet: Driver) -> None:
    session = (await fleet.run('(ship.ensure :name "S" :as @s)')).session
    await fleet.call(session, intents.SetScope("ship", all=True))
    await fleet.call(session, intents.ResetSession(State.SCOPED))
    assert [symbol.name for symbol in await fleet.engine.list_symbols(session, "", 9)] == ["s"]
    assert (await fleet.run("(voyage.ensure :ship @s :number 1)", session=session)).state == "SUCCEEDED"
    await fleet.call(session, intents.ResetSession(State.EMPTY))
    assert await fleet.engine.list_symbols(session, "", 9) == []
    row = (await fleet.engine.get_session(session)).row
    assert (row.symbol_count, row.symbols) == (0, ())
    outcome = await fleet.parse(session, "(voyage.ensure :ship @s :number 2)")
    assert outcome.session.row.session.state is State.PARSED
