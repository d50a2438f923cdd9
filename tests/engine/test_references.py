"""Names: what binds by itself, what a person has to say, and what of that is kept."""

import pytest
from tests.engine.driving import UNUSED, Driver

from sheetgrpc.engine import intents
from sheetgrpc.engine.views import ReferenceView, SheetView
from sheetgrpc.errors import InvalidRequest, NotFound, Reason
from sheetgrpc.session.model import State

STARS = ["Sea Star", "Sea Stone", "Seastar II", "Ocean"]


@pytest.fixture
async def ships(fleet: Driver) -> dict[str, str]:
    ran = await fleet.run("".join(f'(ship.ensure :name "{name}")' for name in STARS))
    return dict(zip(STARS, ran.keys, strict=True))


async def _parse(fleet: Driver, session: str, sheet: str) -> SheetView:
    view = (await fleet.parse(session, sheet)).sheet
    assert view is not None
    return view


def _open(view: SheetView) -> list[ReferenceView]:
    return view.unresolved_references


@pytest.mark.parametrize("name", ["<Sea Star>", '"Sea Star"', "Ocean"])
async def test_a_name_that_exactly_one_row_has_binds_itself(fleet: Driver, ships: dict[str, str], name: str) -> None:
    ran = await fleet.run(f"(voyage.ensure :ship {name} :number 1)")
    assert fleet.rows("SELECT ship_id FROM voyages") == [ships[name.strip('<>"')]]
    (statement,) = await fleet.engine.sheets.statements(ran.session, "", -1, 10, None)
    assert [(one.name, one.entity_id, one.display) for one in statement.resolved_arguments] == [
        ("ship", ships[name.strip('<>"')], name.strip('<>"'))
    ]


async def test_a_name_that_is_not_exact_is_asked_for_with_ranked_candidates(
    fleet: Driver, ships: dict[str, str]
) -> None:
    session = await fleet.open()
    view = await _parse(fleet, session, "(voyage.ensure :ship <Sea Sta> :number 1)")
    assert await fleet.state(session) is State.RESOLVING
    (found,) = _open(view)
    assert found.row.reference.text == "Sea Sta"
    assert (view.unresolved_count, found.row.reference.entity_type, found.row.reference.argument) == (1, "ship", "ship")
    candidates = found.row.candidates
    assert candidates[0].display == "Sea Star"
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert {candidate.entity_id for candidate in candidates} <= set(ships.values())
    again = await fleet.engine.search_entities("ship", "Sea Sta", 10)
    assert again == list(candidates)


async def test_a_name_is_found_in_the_source_under_an_alias_too(fleet: Driver, ships: dict[str, str]) -> None:
    sheet = "(voyage.ensure :vessel <Sea Sta> :number 1)"
    (found,) = _open(await _parse(fleet, await fleet.open(), sheet))
    assert sheet[found.span.offset : found.span.offset + found.span.length] == "<Sea Sta>"
    assert found.row.reference.argument == "ship"


async def test_a_name_that_two_rows_have_is_never_picked(fleet: Driver) -> None:
    """Ports of one name; equal candidates are in the order of their keys."""
    await fleet.run('(port.ensure :code "A" :name "Porto") (port.ensure :code "B" :name "Porto")')
    view = await _parse(fleet, await fleet.open(), '(port.rename :port <Porto> :name "x")')
    (found,) = _open(view)
    assert [(candidate.entity_id, candidate.score) for candidate in found.row.candidates] == [(1, 1.0), (2, 1.0)]


async def test_resolving_the_last_name_makes_the_sheet_ready(fleet: Driver, ships: dict[str, str]) -> None:
    session = await fleet.open()
    sheet = "(voyage.ensure :ship <Sea> :number 1) (voyage.ensure :ship <Se> :number 2)"
    first, second = _open(await _parse(fleet, session, sheet))
    outcome = await fleet.call(session, intents.ResolveReference(first.row.reference.ref_id, ships["Ocean"]))
    assert outcome.session.row.session.state is State.RESOLVING
    assert outcome.sheet is not None
    assert [one.row.reference.ref_id for one in _open(outcome.sheet)] == [second.row.reference.ref_id]
    outcome = await fleet.call(
        session, intents.ResolveReference(second.row.reference.ref_id, ships["Sea Star"].upper())
    )
    assert outcome.session.row.session.state is State.READY
    await fleet.finish(await fleet.submit(session))
    assert fleet.rows("SELECT ship_id FROM voyages ORDER BY number") == [ships["Ocean"], ships["Sea Star"]]


async def test_one_answer_may_be_for_all_of_the_same_text_and_type(fleet: Driver, ships: dict[str, str]) -> None:
    await fleet.run('(port.ensure :code "A" :name "Sea Port")')
    session = await fleet.open()
    view = await _parse(
        fleet,
        session,
        "(voyage.ensure :ship <Sea> :number 1) (voyage.ensure :ship <Sea> :number 2 :port <Sea>)"
        ' (ship.load :ship "Sea" :tonnage 2)',
    )
    first = _open(view)[0].row.reference
    outcome = await fleet.call(session, intents.ResolveReference(first.ref_id, ships["Ocean"], apply_to_same_text=True))
    assert outcome.sheet is not None
    assert [one.row.reference.entity_type for one in _open(outcome.sheet)] == ["port"]
    rows = await fleet.engine.sheets.references(session, "", -1, 10, unresolved_only=False)
    assert [one.row.reference.entity_id for one in rows].count(ships["Ocean"]) == 3


@pytest.mark.parametrize(
    ("ref_id", "key", "kind", "reason"),
    [
        ("no reference", "KEY", NotFound, Reason.REFERENCE_NOT_FOUND),
        ("", UNUSED, NotFound, Reason.ENTITY_NOT_FOUND),
        ("", "Ocean", InvalidRequest, Reason.INVALID_FIELD),
        ("", "", InvalidRequest, Reason.INVALID_FIELD),
    ],
)
async def test_an_answer_that_fits_nothing_is_refused(
    fleet: Driver, ships: dict[str, str], ref_id: str, key: str, kind: type[Exception], reason: Reason
) -> None:
    session = await fleet.open()
    (found,) = _open(await _parse(fleet, session, "(voyage.ensure :ship <Sea> :number 1)"))
    before = (await fleet.engine.get_session(session)).row
    intent = intents.ResolveReference(ref_id or found.row.reference.ref_id, ships["Ocean"] if key == "KEY" else key)
    with pytest.raises(kind) as refused:
        await fleet.call(session, intent)
    assert getattr(refused.value, "reason", None) is reason
    assert (await fleet.engine.get_session(session)).row == before


async def test_an_answer_may_be_changed_while_ready(fleet: Driver, ships: dict[str, str]) -> None:
    session = await fleet.open()
    (found,) = _open(await _parse(fleet, session, "(voyage.ensure :ship <Sea> :number 1)"))
    for name in ("Sea Star", "Ocean"):
        await fleet.call(session, intents.ResolveReference(found.row.reference.ref_id, ships[name]))
    await fleet.finish(await fleet.submit(session))
    assert fleet.rows("SELECT ship_id FROM voyages") == [ships["Ocean"]]


async def test_answers_are_kept_when_the_sheet_is_parsed_again(fleet: Driver, ships: dict[str, str]) -> None:
    session = await fleet.open()
    sheet = "(voyage.ensure :ship <Sea> :number 1) (voyage.ensure :ship <Se> :number 2)"
    first, second = _open(await _parse(fleet, session, sheet))
    await fleet.call(session, intents.ResolveReference(first.row.reference.ref_id, ships["Ocean"]))
    outcome = await fleet.call(session, intents.ParseSheet())
    assert outcome.sheet is not None
    assert [one.row.reference.ref_id for one in _open(outcome.sheet)] == [second.row.reference.ref_id]


async def test_an_answer_whose_row_has_gone_is_asked_for_again(fleet: Driver, ships: dict[str, str]) -> None:
    session = await fleet.open()
    (found,) = _open(await _parse(fleet, session, "(voyage.ensure :ship <Sea> :number 1)"))
    await fleet.call(session, intents.ResolveReference(found.row.reference.ref_id, ships["Ocean"]))
    fleet.change("DELETE FROM ships WHERE name = 'Ocean'")
    outcome = await fleet.call(session, intents.ParseSheet())
    assert outcome.session.row.session.state is State.RESOLVING


async def test_a_name_that_becomes_ambiguous_keeps_the_row_it_was_bound_to(fleet: Driver) -> None:
    """What the caller confirmed is what runs."""
    await fleet.run('(port.ensure :code "A" :name "Porto")')
    session = await fleet.ready('(port.rename :port <Porto> :name "x")')
    await fleet.run('(port.ensure :code "B" :name "Porto")')
    outcome = await fleet.call(session, intents.ParseSheet())
    assert outcome.session.row.session.state is State.READY
    await fleet.finish(await fleet.submit(session))
    assert fleet.rows("SELECT code, name FROM ports ORDER BY code") == [("A", "x"), ("B", "Porto")]


async def test_a_string_key_is_a_key_where_a_row_has_it_and_else_a_name(fleet: Driver) -> None:
    await fleet.run('(flag.ensure :code "LU" :country "Luxembourg") (flag.ensure :code "FR" :country "LU")')
    await fleet.run(
        '(ship.ensure :name "a" :flag "LU") (ship.ensure :name "b" :flag <LU>)'
        ' (ship.ensure :name "c" :flag "Luxembourg")'
    )
    assert fleet.rows("SELECT flag_code FROM ships ORDER BY name") == ["LU", "FR", "LU"]


async def test_candidates_are_nothing_for_an_unknown_type(fleet: Driver) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await fleet.engine.search_entities("boat", "x", 3)
    assert refused.value.reason is Reason.INVALID_FIELD
