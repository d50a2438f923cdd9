"""Sessions, their log, labels and lists, through the Store contract."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from tests.store.making import Commit, Made

from sheetgrpc.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, Reason
from sheetgrpc.session.events import IntentConfirmed, LabelGiven, LabelLost, ScopeCleared, SessionCreated
from sheetgrpc.session.model import Lifecycle, State
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Changes, EventRow, Moved, SessionFilter, SymbolChange, SymbolRow

replace = msgspec.structs.replace


async def test_session_reads_back_as_written(store: Store, commit: Commit, made: Made) -> None:
    session = made.session(name="Ünïcode \0 'quoted'", metadata={"a": [1, None, "x"]}, labels=("payroll",))
    await commit(made.created(session))
    assert (await store.session(session.id)).session == session


@pytest.mark.parametrize("ref", [str.upper, str.lower, lambda id_: id_[:25], lambda id_: id_[:25].lower()])
async def test_session_is_found_by_id_in_any_case_or_prefix(
    store: Store, commit: Commit, made: Made, ref: Callable[[str], str]
) -> None:
    session = made.session()
    await commit(made.created(session))
    assert (await store.session(ref(session.id))).session == session


async def test_session_is_found_by_prefix_of_six_and_not_of_five(store: Store, commit: Commit, made: Made) -> None:
    session = made.session(id="7ABCDEFGHJKMNPQRSTVWXYZ012")
    await commit(made.created(session))
    assert (await store.session("7abcde")).session == session
    with pytest.raises(NotFound):
        await store.session("7abcd")


async def test_session_is_found_by_label_as_written(store: Store, commit: Commit, made: Made) -> None:
    session = made.session(labels=("Payroll run", "b"))
    await commit(made.created(session))
    assert (await store.session("Payroll run")).session == session
    with pytest.raises(NotFound):
        await store.session("payroll run")


async def test_id_comes_before_prefix_before_label(store: Store, commit: Commit, made: Made) -> None:
    first = made.session(id="7ABCDEFGHJKMNPQRSTVWXYZ012", name="by prefix")
    await commit(made.created(first))
    await commit(made.created(made.session(labels=("7ABCDE",), name="by label")))
    assert (await store.session("7ABCDE")).session.name == "by prefix"


async def test_ambiguous_prefix_lists_ten_candidates(store: Store, commit: Commit, made: Made) -> None:
    ids = [f"7ABCDE{at:020d}" for at in range(12)]
    for session_id in ids:
        await commit(made.created(made.session(id=session_id)))
    with pytest.raises(InvalidRequest) as refused:
        await store.session("7abcde")
    assert refused.value.reason is Reason.SESSION_AMBIGUOUS
    assert refused.value.metadata["candidates"].split(",") == ids[:10]
    assert (await store.session(ids[11])).session.id == ids[11]


@pytest.mark.parametrize(
    "ref", ["", "01", "%", "_" * 26, "0" * 26, "a\0b", "' OR 1=1 --", "x" * 5000, "ſ" * 8, "٠١٢٣٤٥٦"]
)
async def test_unknown_session_is_named_in_the_refusal(store: Store, commit: Commit, made: Made, ref: str) -> None:
    await commit(made.created(made.session()))
    with pytest.raises(NotFound) as refused:
        await store.session(ref)
    assert refused.value.reason is Reason.SESSION_NOT_FOUND
    kind, name = refused.value.resource or ("", "")
    assert kind == "session"
    assert name == ref if len(ref) < 80 else ref.startswith(name.removesuffix("..."))
    assert len(refused.value.message) < 200


async def test_label_taken_refuses_creation_and_writes_nothing(store: Store, commit: Commit, made: Made) -> None:
    await commit(made.created(made.session(labels=("a",))))
    late = made.session(labels=("b", "a"))
    with pytest.raises(AlreadyExists) as refused:
        await commit(made.created(late))
    assert refused.value.reason is Reason.LABEL_TAKEN
    assert refused.value.resource == ("label", "a")
    for ref in (late.id, "b"):
        with pytest.raises(NotFound):
            await store.session(ref)


async def test_labels_follow_the_session(store: Store, commit: Commit, made: Made) -> None:
    session = made.session(labels=("old", "kept"))
    await commit(made.created(session))
    moved = replace(session, version=2, labels=("kept", "new"))
    await commit(Changes(session=moved, events=(ScopeCleared(at=1),)))
    assert (await store.session("kept")).session == moved
    assert (await store.session("new")).session == moved
    with pytest.raises(NotFound):
        await store.session("old")


async def test_stale_version_is_refused_and_writes_nothing(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    await commit(made.created(session))
    second = Changes(session=replace(session, version=2, name="first"), events=(ScopeCleared(at=1),))
    await commit(second)
    with pytest.raises(Conflict):
        await commit(Changes(session=replace(session, version=2, name="second"), events=(ScopeCleared(at=2),)))
    assert (await store.session(session.id)).session.name == "first"
    assert await store.events(session.id, 1, 10) == [EventRow(2, ScopeCleared(at=1))]


async def test_events_are_numbered_without_gaps_and_paged(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    await commit(made.created(session))
    more = tuple(ScopeCleared(at=at) for at in range(2, 7))
    await commit(Changes(session=replace(session, version=6), events=more))
    created = SessionCreated(at=session.created_at, id=session.id)
    assert await store.events(session.id, 0, 2) == [EventRow(1, created), EventRow(2, more[0])]
    assert await store.events(session.id, 2, 2) == [EventRow(3, more[1]), EventRow(4, more[2])]
    assert [row.sequence for row in await store.events(session.id, 0, 100)] == [1, 2, 3, 4, 5, 6]
    assert await store.events(session.id, 6, 2) == []


async def test_events_of_a_type_keep_their_sequences(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    await commit(made.created(session))
    more = (ScopeCleared(at=1), LabelGiven(at=2, label="Ünïcode \0"), ScopeCleared(at=3), IntentConfirmed(at=4))
    await commit(Changes(session=replace(session, version=5), events=more))
    assert await store.events(session.id, 0, 9, ["ScopeCleared"]) == [EventRow(2, more[0]), EventRow(4, more[2])]
    assert await store.events(session.id, 2, 9, ["ScopeCleared"]) == [EventRow(4, more[2])]
    assert await store.events(session.id, 0, 1, ["LabelGiven", "IntentConfirmed"]) == [EventRow(3, more[1])]
    assert await store.events(session.id, 0, 9, ["TemplateSet"]) == []


async def test_a_label_moves_with_an_event_of_the_session_that_had_it(store: Store, commit: Commit, made: Made) -> None:
    had, gets = made.session(labels=("a", "b")), made.session()
    await commit(made.created(had))
    await commit(made.created(gets))
    async with store.begin() as transaction:
        opened = await transaction.open(gets.id, None, "b")
        assert opened.holder is not None
        assert (opened.row and opened.row.session, opened.holder.session) == (gets, had)
        lost = LabelLost(at=5, label="b", to=gets.id)
        loser = Moved(replace(had, version=2, labels=("a",)), (lost,))
        given = replace(gets, version=2, labels=("b",))
        await transaction.commit(Changes(session=given, events=(LabelGiven(at=5, label="b"),), loser=loser))
    assert (await store.session("b")).session == given
    assert (await store.session("a")).session == loser.session
    assert await store.events(had.id, 1, 9) == [EventRow(2, lost)]


async def test_a_label_does_not_move_from_a_session_that_was_changed_meanwhile(
    store: Store, commit: Commit, made: Made
) -> None:
    had, gets = made.session(labels=("b",)), made.session()
    await commit(made.created(had))
    await commit(made.created(gets))
    stale = Moved(replace(had, version=3, labels=()), (LabelLost(at=5, label="b", to=gets.id),))
    with pytest.raises(Conflict):
        await commit(
            Changes(session=replace(gets, version=2, labels=("b",)), events=(LabelGiven(at=5, label="b"),), loser=stale)
        )
    assert (await store.session("b")).session == had
    assert (await store.session(gets.id)).session == gets


async def test_symbols_beside_a_session_stay_until_changed(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    symbols = (SymbolRow("a", "cbu", 5, "e"), SymbolRow("b", "cbu", "5", "e"))
    await commit(made.created(session, symbols=SymbolChange(7, symbols)))
    await commit(Changes(session=replace(session, version=2), events=(ScopeCleared(at=1),)))
    row = await store.session(session.id)
    assert (row.symbol_count, row.symbols) == (7, symbols)
    (listed,) = await store.sessions(SessionFilter(), 10, None)
    assert (listed.symbol_count, listed.symbols) == (7, ())


async def test_sessions_page_newest_first_with_id_as_tie_break(store: Store, commit: Commit, made: Made) -> None:
    sessions = [made.session(created_at=at // 2) for at in range(7)]
    for session in sessions:
        await commit(made.created(session))
    seen: list[str] = []
    before = None
    while page := await store.sessions(SessionFilter(), 3, before):
        seen += [row.session.id for row in page]
        before = (page[-1].session.created_at, page[-1].session.id)
    assert seen == [session.id for session in reversed(sessions)]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (SessionFilter(), {"a", "b", "c"}),
        (SessionFilter(states=(State.READY,)), {"b"}),
        (SessionFilter(states=(State.READY, State.EMPTY)), {"a", "b", "c"}),
        (SessionFilter(lifecycles=(Lifecycle.COMPLETED,)), {"c"}),
        (SessionFilter(role="admin"), {"a"}),
        (SessionFilter(task_id="t"), {"a", "b"}),
        (SessionFilter(task_id="t", role="admin", states=(State.READY,)), set()),
        (SessionFilter(label="l"), {"b"}),
        (SessionFilter(label="none"), set()),
        (SessionFilter(parent_id="7ABCDEFGHJKMNPQRSTVWXYZ012"), {"c"}),
    ],
)
async def test_sessions_are_filtered(
    store: Store, commit: Commit, made: Made, wanted: SessionFilter, names: set[str]
) -> None:
    await commit(made.created(made.session(name="a", role="admin", task_id="t")))
    await commit(made.created(made.session(name="b", state=State.READY, task_id="t", labels=("l",))))
    parent = "7ABCDEFGHJKMNPQRSTVWXYZ012"
    await commit(made.created(made.session(name="c", lifecycle=Lifecycle.COMPLETED, parent_id=parent)))
    assert {row.session.name for row in await store.sessions(wanted, 10, None)} == names


async def test_of_two_commands_at_once_one_wins(store: Store, commit: Commit, made: Made) -> None:
    session = made.session()
    await commit(made.created(session))
    changes = [
        Changes(session=replace(session, version=2, name=name), events=(ScopeCleared(at=1),)) for name in "abcdefgh"
    ]
    outcomes = await asyncio.gather(*map(commit, changes), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 7 + ["NoneType"]
    assert len(await store.events(session.id, 0, 10)) == 2
