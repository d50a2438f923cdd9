"""A command takes effect exactly once: however often it is sent, whoever hangs up, whatever moves meanwhile."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from tests.engine.driving import Driver, describe, drive

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents, sheet_steps
from sheetgrpc.engine.intents import Envelope, Intent
from sheetgrpc.errors import Conflict, InvalidRequest, NotAllowed, Reason, SheetError
from sheetgrpc.session.model import State
from sheetgrpc.store.records import Changes, ExecutionFilter, SessionFilter, SessionRow

SHEET = '(ship.ensure :name "S" :as @s) (voyage.ensure :ship @s :number 1)'
SUBMIT = intents.SubmitSheet(confirm=True)
STEPS: dict[str, Intent] = {
    "ImportSheet": intents.ImportSheet(SHEET),
    "ParseSheet": intents.ParseSheet(),
    "SubmitSheet": SUBMIT,
    "LabelSession": intents.LabelSession("l"),
}


async def test_a_repeat_is_answered_byte_for_byte(fleet: Driver) -> None:
    """Though the session has moved on since."""
    session = await fleet.open()
    first = await fleet.send(session, intents.ImportSheet(SHEET), "r")
    await fleet.call(session, intents.ParseSheet())
    again = await fleet.send(session, intents.ImportSheet(SHEET), "r")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.body == first.body
    assert again.stored == first.stored
    assert await fleet.state(session) is State.READY


async def test_a_request_id_is_for_one_content(fleet: Driver) -> None:
    session = await fleet.open()
    await fleet.send(session, intents.ImportSheet(SHEET), "r", b"one")
    with pytest.raises(InvalidRequest) as refused:
        await fleet.send(session, intents.ImportSheet("(port.list)"), "r", b"two")
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


async def test_a_request_id_is_within_caller_method_and_target(fleet: Driver) -> None:
    one, other = await fleet.open(), await fleet.open()
    await fleet.send(one, intents.ImportSheet(SHEET), "r")
    assert not (await fleet.send(other, intents.ImportSheet(SHEET), "r")).replayed
    assert not (await fleet.send(one, intents.ParseSheet(), "r")).replayed
    for _ in range(2):  # another caller's first use, whose repeat is answered as that
        envelope = Envelope("berta", "CreateSession", "", "r", b"f")
        reply = await fleet.engine.handle(envelope, intents.CreateSession(), describe)
    assert reply.replayed
    assert not (await fleet.send("", intents.CreateSession(), "r")).replayed


async def test_a_refusal_is_not_kept(fleet: Driver) -> None:
    session = await fleet.open()
    with pytest.raises(NotAllowed):
        await fleet.send(session, intents.ParseSheet(), "r")
    await fleet.call(session, intents.ImportSheet(SHEET))
    assert not (await fleet.send(session, intents.ParseSheet(), "r")).replayed


@pytest.mark.parametrize(
    ("intent", "state"),
    [
        (intents.ImportSheet(SHEET), State.GENERATED),
        (intents.ParseSheet(), State.READY),
        (SUBMIT, State.EXECUTED),
    ],
    ids=["ImportSheet", "ParseSheet", "SubmitSheet"],
)
async def test_thirty_at_once_are_one(fleet: Driver, intent: Intent, state: State) -> None:
    """All get the first one's answer; none a refusal for what the first one did."""
    session = await fleet.open()
    if not isinstance(intent, intents.ImportSheet):
        await fleet.call(session, intents.ImportSheet(SHEET))
    if isinstance(intent, intents.SubmitSheet):
        await fleet.call(session, intents.ParseSheet())
    version = (await fleet.engine.get_session(session)).row.session.version
    replies = await asyncio.gather(*(fleet.send(session, intent, "r") for _ in range(30)))
    assert len({reply.body for reply in replies}) == 1
    assert [reply.replayed for reply in replies].count(False) == 1
    if isinstance(intent, intents.SubmitSheet):
        executions = await fleet.engine.list_executions(_every(), 10, None)
        assert len(executions) == 1
        await fleet.finish(executions[0].id)
        assert fleet.rows("SELECT count(*) FROM voyages") == [1]
        version += 1
    row = (await fleet.engine.get_session(session)).row.session
    assert (row.state, row.version) == (state, version + 1)


class _Overtaken(sheet_steps.SubmitSheet):
    """A submit whose other sending is accepted while this one looks at the session."""

    def __init__(self, fleet: Driver, session: str) -> None:
        super().__init__(fleet.engine._context, SUBMIT)
        self._fleet, self._session = fleet, session

    async def prepare(self, row: SessionRow | None) -> None:
        await self._fleet.send(self._session, SUBMIT, "r")
        await super().prepare(await self._fleet.engine.store.session(self._session))


async def test_a_sending_that_another_overtook_gets_its_answer_and_no_refusal(fleet: Driver) -> None:
    session = await fleet.ready(SHEET)
    envelope = Envelope("anna", "SubmitSheet", session, "r", b"f")
    reply = await fleet.engine._handler.handle(envelope, lambda: _Overtaken(fleet, session), describe)
    assert reply.replayed
    assert reply.body == (await fleet.send(session, SUBMIT, "r")).body


async def test_a_repeated_execute_attaches_to_the_same_run(fleet: Driver) -> None:
    """At once, and long after."""
    session = await fleet.ready(SHEET)
    envelope = Envelope("anna", "ExecuteSheet", session, "r", b"f")

    async def execute() -> str:
        execution, _ = await fleet.engine.execute(envelope, SUBMIT)
        assert (await fleet.finish(execution)).state == "SUCCEEDED"
        return execution

    found = await asyncio.gather(*(execute() for _ in range(30)))
    assert {*found, await execute()} == {found[0]}
    assert len(await fleet.engine.list_executions(_every(), 10, None)) == 1


async def test_of_two_submits_one_wins(fleet: Driver) -> None:
    session = await fleet.ready(SHEET)
    outcomes = await asyncio.gather(*(fleet.call(session, SUBMIT) for _ in range(2)), return_exceptions=True)
    (refusal,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(refusal, NotAllowed)
    assert len(await fleet.engine.list_executions(_every(), 10, None)) == 1


async def test_a_version_that_is_not_the_sessions_is_refused(fleet: Driver) -> None:
    session = await fleet.open()
    await fleet.call(session, intents.ImportSheet(SHEET), expected_version=1)
    with pytest.raises(Conflict) as refused:
        await fleet.call(session, intents.ImportSheet(SHEET), expected_version=1)
    assert refused.value.reason is Reason.VERSION_CONFLICT
    assert refused.value.metadata == {"expectedVersion": "1", "actualVersion": "2"}
    assert (await fleet.engine.get_session(session)).row.session.version == 2


async def test_a_repeat_with_the_version_it_was_first_sent_with_is_a_repeat(fleet: Driver) -> None:
    session = await fleet.open()
    envelope = Envelope("anna", "ImportSheet", session, "r", b"f", 1)
    replies = [await fleet.engine.handle(envelope, intents.ImportSheet(SHEET), describe) for _ in range(2)]
    assert [reply.replayed for reply in replies] == [False, True]


async def test_of_many_that_expect_one_version_one_wins(fleet: Driver) -> None:
    session = await fleet.open()
    sent = (fleet.call(session, intents.ImportSheet(f"(port.list) ; {at}"), expected_version=1) for at in range(20))
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert [error.reason for error in refused] == [Reason.VERSION_CONFLICT] * 19
    assert (await fleet.engine.get_session(session)).row.session.version == 2


async def test_commands_that_meet_are_done_one_after_the_other(fleet: Driver) -> None:
    """A session that moved between a command's preparation and its transaction is prepared for again, three times."""
    session = await fleet.open()
    sent = (fleet.call(session, intents.ImportSheet(f"(port.list) ; {at}")) for at in range(20))
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(error, Conflict) and error.reason is Reason.CONFLICT for error in refused)
    done = len(outcomes) - len(refused)
    assert done >= 3
    assert (await fleet.engine.get_session(session)).row.session.version == 1 + done


@pytest.mark.parametrize("step", STEPS)
async def test_a_caller_that_goes_away_at_any_moment_leaves_all_or_nothing(path: Path, step: str) -> None:
    """Cancelled after n steps of the loop, for every n: what a repeat answers is what was done, and it is done once."""
    async with drive(path) as fleet:
        for steps in (*range(100), *range(100, 4000, 40)):
            session = await fleet.open()
            if step not in ("ImportSheet", "LabelSession"):
                await fleet.call(session, intents.ImportSheet(SHEET))
            if step == "SubmitSheet":
                await fleet.call(session, intents.ParseSheet())
            intent = STEPS[step]
            version = (await fleet.engine.get_session(session)).row.session.version
            sent = asyncio.create_task(fleet.send(session, intent, "r"))
            for _ in range(steps):
                await asyncio.sleep(0)
            ended = sent.done()
            sent.cancel()
            first = (await asyncio.gather(sent, return_exceptions=True))[0]
            reply = await fleet.send(session, intent, "r")
            if not isinstance(first, BaseException):
                assert (reply.body, reply.replayed) == (first.body, True)
            await fleet.engine._handler.settle()
            executions = await fleet.engine.list_executions(_every(session), 10, None)
            assert len(executions) == (step == "SubmitSheet")
            for execution in executions:
                await fleet.finish(execution.id)
            after = (await fleet.engine.get_session(session)).row.session.version
            assert after == version + 1 + len(executions)
            if ended:
                return
        pytest.fail("the command never ended")


async def test_watchers_are_told_though_the_caller_goes_away_while_the_change_is_committed(path: Path) -> None:
    """Whether its own task commits or another, and never of what was not committed."""
    async with drive(path) as fleet:
        handler = fleet.engine._handler
        told: list[int] = []
        really = handler._published

        def publish(changes: Changes) -> None:
            told.append(changes.session.version)
            really(changes)

        handler._published = publish
        for steps in range(8):
            session = await fleet.open()
            told.clear()
            sent = asyncio.create_task(fleet.send(session, intents.LabelSession(f"l{steps}"), "r"))
            for _ in range(steps):
                await asyncio.sleep(0)
            sent.cancel()
            await asyncio.wait([sent])
            await handler.settle()
            version = (await fleet.engine.store.session(session)).session.version
            assert told == [2] * (version - 1)


async def test_a_repeat_after_its_time_is_a_new_request(path: Path) -> None:
    async with drive(path, draws=Draws(), request_id_ttl=0.000001) as fleet:
        session = await fleet.open()
        await fleet.send(session, intents.ImportSheet(SHEET), "r")
        assert not (await fleet.send(session, intents.ImportSheet(SHEET), "r")).replayed


async def test_replies_outlive_the_process(path: Path) -> None:
    async with drive(path) as fleet:
        session = await fleet.open()
        first = await fleet.send(session, intents.ImportSheet(SHEET), "r")
    async with drive(path) as fleet:
        again = await fleet.send(session, intents.ImportSheet(SHEET), "r")
        assert (again.body, again.replayed) == (first.body, True)


async def test_a_command_that_is_refused_changes_nothing(fleet: Driver) -> None:
    session = await fleet.ready(SHEET)
    before = (await fleet.engine.get_session(session)).row
    for intent in (intents.GenerateSheet(), intents.ConfirmIntent(), intents.SubmitSheet(confirm=False)):
        with pytest.raises(SheetError):
            await fleet.send(session, intent, "r")
    assert (await fleet.engine.get_session(session)).row == before
    assert fleet.rows("SELECT count(*) FROM sheetgrpc_replies") == [0]


def _every(session: str = "") -> ExecutionFilter:
    return ExecutionFilter(session_id=session)


async def test_a_server_that_does_not_know_a_request_id_meets_its_answer_where_it_would_commit(path: Path) -> None:
    """As after a restart, or where another server answered: also what would be accepted a second time is not."""
    commands: dict[str, Intent] = {
        "create": intents.CreateSession(),
        "label": intents.LabelSession("red"),
        "import": intents.ImportSheet(SHEET),
        "parse": intents.ParseSheet(),
        "plan": intents.PlanSheet(),
    }
    async with drive(path) as fleet:
        session = await fleet.open()
        target = {name: "" if name == "create" else session for name in commands}
        first = {name: await fleet.send(target[name], intent, name) for name, intent in commands.items()}
        (planned,) = await fleet.engine.list_executions(_every(), 10, None)
        await fleet.finish(planned.id)
        kept = await fleet.engine.store.session(session), await fleet.engine.list_executions(_every(), 10, None)
    for content in (b"f", b"other"):
        async with drive(path) as fleet:  # it remembers nothing
            for name, intent in commands.items():
                if content == b"f":
                    again = await fleet.send(target[name], intent, name)
                    assert (again.body, again.replayed) == (first[name].body, True), name
                    continue
                with pytest.raises(InvalidRequest) as refused:
                    await fleet.send(target[name], intent, name, content)
                assert refused.value.reason is Reason.REQUEST_ID_REUSED, name
            assert await fleet.engine.store.session(session) == kept[0]
            assert await fleet.engine.list_executions(_every(), 10, None) == kept[1]
            assert len(await fleet.engine.list_sessions(SessionFilter(), 10, None)) == 2


async def test_a_command_begins_with_what_the_one_before_it_has_left(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken as read is what would be; another caller, another commit or a failure has it read."""
    async with drive(file) as fleet:
        session, other = await fleet.open(), await fleet.open()
        store, read = fleet.engine.store, []
        really = store.session

        async def session_of(ref: str, owner: str | None = None) -> SessionRow:
            read.append(ref)
            return await really(ref, owner)

        monkeypatch.setattr(store, "session", session_of)

        async def send(target: str, intent: Intent, caller: str = "anna") -> list[str]:
            read.clear()
            with suppress(SheetError):
                await fleet.engine.handle(Envelope(caller, type(intent).__name__, target), intent, describe)
            return list(read)

        rename = intents.UpdateSession(name="new")
        assert await send(session, rename) == [session]  # the other was the last
        for intent in (intents.ImportSheet(SHEET), intents.ParseSheet(), intents.LabelSession("l"), rename):
            assert await send(session, intent) == []
            assert fleet.engine._handler._left == (store.commits, await really(session))
        assert await send(session, rename, "berta") == [session]  # who has no such session
        assert await send("l", rename) == ["l"]
        assert await send(session, intents.GenerateSheet()) == []  # refused
        assert await send(session, rename) == [session]
        assert await send(other, rename) == [other]
        assert await send(session, rename) == [session]
        async with store.begin() as transaction:
            await transaction.touch()  # a commit of anybody's
        assert await send(session, rename) == [session]
        fork = intents.ForkSession()
        assert await send(session, fork) == []
        left = fleet.engine._handler._left
        assert left is not None
        assert left[1] == await really(left[1].session.id)
