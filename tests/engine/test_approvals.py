"""Approvals on a database: asked for, decided, used with the run that commits, and of no use for anything else."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.engine.driving import Clock, Driver, drive
from tests.engine.places import Place
from tests.engine.test_queue import change

from sheetgrpc.catalog.loading import load
from sheetgrpc.clock import Draws
from sheetgrpc.config import Settings, StartError
from sheetgrpc.engine import intents
from sheetgrpc.engine.consent import finds_many
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.engine.views import Outcome
from sheetgrpc.errors import NotAllowed, NotFound, PermissionDenied, Reason, SheetError
from sheetgrpc.session.approvals import Approval, ApprovalState, Verdict
from sheetgrpc.session.model import State
from sheetgrpc.store.queue import QueueMode
from sheetgrpc.store.records import ApprovalFilter, ExecutionFilter

SHIPS = '(ship.ensure :name "Sea Star" :tonnage 5 :as @star) (voyage.ensure :ship @star :number 1)'
HOUR = 3_600_000_000


class Time(Clock):
    """A clock that may be set forward."""

    ahead = 0

    def __call__(self) -> int:
        return super().__call__() + self.ahead


@asynccontextmanager
async def guarded(path: Place, time: Time | None = None, **settings: Any) -> AsyncIterator[Driver]:
    """An engine whose policy asks for approvals."""
    draws = Draws(now=time or Time())
    async with drive(path, draws=draws, **({"approve": "always", "tokens": "-"} | settings)) as fleet:
        yield fleet


async def ask(fleet: Driver, session: str) -> Approval:
    """An approval of a plan of the session's sheet, pending."""
    planned = await fleet.plan(session)
    assert planned.plan_digest, planned.error
    outcome = await fleet.call(session, intents.RequestApproval(planned.plan_digest, "please"))
    assert outcome.approval is not None
    return outcome.approval


async def say(
    fleet: Driver, approval: str, approver: str = "pia", verdict: Verdict = Verdict.APPROVE, request_id: str = ""
) -> Approval:
    found: list[Outcome] = []

    def keep(outcome: Outcome) -> bytes:
        found.append(outcome)
        return b"kept"

    fingerprint = b"f" if request_id else b""
    envelope = Envelope(approver, "DecideApproval", approval, request_id, fingerprint, approval=approval)
    await fleet.engine.handle(envelope, intents.DecideApproval(approval, verdict, "fine"), keep)
    decided = found[-1].approval if found else await fleet.engine.store.approval(approval)
    assert decided is not None
    return decided


async def refusal(work: Any) -> SheetError:
    with pytest.raises(SheetError) as raised:
        await work
    return raised.value


async def approved(fleet: Driver, sheet: str = SHIPS) -> tuple[str, Approval]:
    session = await fleet.ready(sheet)
    asked = await ask(fleet, session)
    return session, await say(fleet, asked.id)


async def test_what_the_policy_covers_is_refused_and_nothing_waits(path: Place) -> None:
    """Approvals 4: no execution waits for one."""
    async with guarded(path) as fleet:
        session = await fleet.ready(SHIPS)
        planned = await fleet.plan(session)
        for fields in ({}, {"plan_digest": planned.plan_digest}):
            error = await refusal(fleet.submit(session, **fields))
            assert (type(error), error.reason) == (NotAllowed, Reason.APPROVAL_REQUIRED)
        waiting = await fleet.engine.list_executions(ExecutionFilter(), 10, None)
        assert [row.id for row in waiting] == [planned.id]
        assert await fleet.state(session) is State.READY


async def test_an_approved_plan_is_applied_and_uses_its_approval(path: Place) -> None:
    async with guarded(path) as fleet:
        session, approval = await approved(fleet)
        assert (approval.state, approval.requested_by, approval.notes) == (ApprovalState.APPROVED, "anna", "please")
        assert [(one.table, one.created) for one in approval.touched] == [("ships", 1), ("voyages", 1)]
        ended = await fleet.finish(await fleet.submit(session, approval_id=approval.id))
        assert (ended.state.value, ended.approval_id, ended.plan_digest) == (
            "SUCCEEDED",
            approval.id,
            approval.plan_digest,
        )
        used = await fleet.engine.store.approval(approval.id)
        assert (used.used_by, used.used_at is not None, used.revision) == (ended.id, True, 3)
        events = [row.event for row in await fleet.engine.list_events(session, 0, 100, ())]
        told = {type(event).__name__: event.actor for event in events if "Approval" in type(event).__name__}
        assert told == {"ApprovalRequested": "anna", "ApprovalDecided": "pia"}


async def test_an_approval_is_used_once(path: Place) -> None:
    async with guarded(path) as fleet:
        session, approval = await approved(fleet)
        await fleet.finish(await fleet.submit(session, approval_id=approval.id))
        await fleet.ready(SHIPS, session)
        error = await refusal(fleet.submit(session, approval_id=approval.id))
        assert error.reason is Reason.APPROVAL_REQUIRED
        assert "was used already" in error.message


async def test_another_sheet_by_one_byte_is_not_approved(path: Place) -> None:
    async with guarded(path) as fleet:
        session, approval = await approved(fleet)
        await fleet.ready(SHIPS + " ", session)
        error = await refusal(fleet.submit(session, approval_id=approval.id))
        assert (error.reason, "another sheet" in error.message) == (Reason.APPROVAL_REQUIRED, True)


async def test_another_session_with_the_same_sheet_is_not_approved(path: Place) -> None:
    async with guarded(path) as fleet:
        _, approval = await approved(fleet)
        error = await refusal(fleet.submit(await fleet.ready(SHIPS), approval_id=approval.id))
        assert (error.reason, "another session" in error.message) == (Reason.APPROVAL_REQUIRED, True)


async def test_another_plan_is_not_approved(path: Place) -> None:
    async with guarded(path) as fleet:
        session, approval = await approved(fleet)
        error = await refusal(fleet.submit(session, approval_id=approval.id, plan_digest="0" * 64))
        assert (error.reason, "another plan" in error.message) == (Reason.APPROVAL_REQUIRED, True)


async def test_an_approval_expires_by_the_engines_clock(path: Place) -> None:
    time = Time()
    async with guarded(path, time, approval_ttl=3600.0) as fleet:
        session, approval = await approved(fleet)
        pending = await ask(fleet, session)
        time.ahead = HOUR
        error = await refusal(fleet.submit(session, approval_id=approval.id))
        assert (error.reason, "has expired" in error.message) == (Reason.APPROVAL_REQUIRED, True)
        late = await refusal(say(fleet, pending.id))
        assert (late.reason, late.metadata["state"]) == (Reason.APPROVAL_DECIDED, "EXPIRED")


async def test_an_approval_that_expires_while_its_execution_waits_is_not_used(path: Place) -> None:
    """Judged again by the run, by the time of its claim."""
    time = Time()
    async with guarded(path, time, approval_ttl=3600.0) as fleet:
        before = fleet.dump()
        session, approval = await approved(fleet)
        await change(fleet, QueueMode.HOLD)
        execution = await fleet.submit(session, approval_id=approval.id)
        time.ahead = HOUR
        await change(fleet, QueueMode.RUNNING)
        ended = await fleet.finish(execution)
        assert ended.error is not None
        assert (ended.state.value, ended.error.code) == ("FAILED", "PERMISSION_DENIED")
        assert "has expired" in ended.error.message
        assert (await fleet.engine.store.approval(approval.id)).used_by == ""
        assert fleet.dump() == before


async def test_nobody_approves_what_they_asked_for(path: Place) -> None:
    async with guarded(path) as fleet:
        asked = await ask(fleet, await fleet.ready(SHIPS))
        error = await refusal(say(fleet, asked.id, "anna"))
        assert (type(error), error.reason) == (PermissionDenied, Reason.PERMISSION_DENIED)
        assert (await fleet.engine.store.approval(asked.id)).decisions == ()


async def test_as_many_approve_as_are_needed_and_one_rejects(path: Place) -> None:
    async with guarded(path, approvers=2) as fleet:
        session = await fleet.ready(SHIPS)
        asked = await ask(fleet, session)
        await say(fleet, asked.id, "pia")
        error = await refusal(fleet.submit(session, approval_id=asked.id))
        assert "needs 1 more of 2 approvers" in error.message
        decided = await say(fleet, asked.id, "paul", Verdict.REJECT)
        assert (decided.state, [one.approver for one in decided.decisions]) == (ApprovalState.REJECTED, ["pia", "paul"])
        assert "was rejected" in (await refusal(fleet.submit(session, approval_id=asked.id))).message


async def test_a_plan_that_no_longer_holds_uses_no_approval(path: Place) -> None:
    """Bound to content: also to what is in the tables."""
    async with guarded(path) as fleet:
        session, approval = await approved(fleet)
        fleet.change("INSERT INTO ships (ship_id, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Sea Star')")
        ended = await fleet.finish(await fleet.submit(session, approval_id=approval.id))
        assert ended.error is not None
        assert (ended.state.value, ended.error.code) == ("FAILED", "PLAN_STALE")
        assert await fleet.state(session) is State.READY
        assert (await fleet.engine.store.approval(approval.id)).used_by == ""


async def test_a_run_that_turns_out_to_need_an_approval_is_rolled_back(path: Place) -> None:
    """It was queued when there was no such policy."""
    async with drive(path, start=False) as fleet:
        execution = await fleet.submit(await fleet.ready(SHIPS))
    before = fleet.dump()
    async with guarded(path, approve="table:voyages") as fleet:
        ended = await fleet.finish(execution)
        assert ended.error is not None
        assert (ended.state.value, ended.error.code) == ("FAILED", "PERMISSION_DENIED")
        assert "needed an approval and had none: it changes voyages" in ended.error.message
        assert fleet.dump() == before


async def test_a_cancelled_run_leaves_its_approval_for_the_next(path: Place) -> None:
    async with guarded(path, start=False) as fleet:
        session = await fleet.ready(SHIPS)
        await fleet.call(session, intents.PlanSheet())
    async with guarded(path) as fleet:
        (planned,) = await fleet.engine.list_executions(ExecutionFilter(), 10, None)
        planned = await fleet.finish(planned.id)
        outcome = await fleet.call(session, intents.RequestApproval(planned.plan_digest))
        assert outcome.approval is not None
        approval = await say(fleet, outcome.approval.id)
    async with guarded(path, start=False) as fleet:
        execution = await fleet.submit(session, approval_id=approval.id)
        cancel = intents.CancelExecution(execution)
        await fleet.engine.cancel(Envelope("anna", "CancelExecution", execution), cancel, lambda _: b"")
        assert (await fleet.engine.store.approval(approval.id)).used_by == ""
    async with guarded(path) as fleet:
        await fleet.call(session, intents.ParseSheet())
        ended = await fleet.finish(await fleet.submit(session, approval_id=approval.id))
        assert ended.state.value == "SUCCEEDED"


async def test_of_two_submits_with_one_approval_one_wins(path: Place) -> None:
    async with guarded(path) as fleet:
        session, approval = await approved(fleet)
        racing = [fleet.submit(session, approval_id=approval.id) for _ in range(4)]
        answers = await asyncio.gather(*racing, return_exceptions=True)
        won = [one for one in answers if isinstance(one, str)]
        assert len(won) == 1
        assert all(isinstance(one, str | SheetError) for one in answers), answers
        assert (await fleet.finish(won[0])).state.value == "SUCCEEDED"
        assert (await fleet.engine.store.approval(approval.id)).used_by == won[0]


async def test_of_decisions_at_once_the_first_counts(path: Place) -> None:
    """P1: pending to approved or rejected once."""
    async with guarded(path) as fleet:
        asked = await ask(fleet, await fleet.ready(SHIPS))
        verdicts = {"a": Verdict.APPROVE, "b": Verdict.REJECT, "c": Verdict.APPROVE, "d": Verdict.REJECT}
        racing = [say(fleet, asked.id, name, verdict) for name, verdict in verdicts.items()]
        answers = await asyncio.gather(*racing, return_exceptions=True)
        assert sum(isinstance(one, Approval) for one in answers) == 1
        assert {one.reason for one in answers if isinstance(one, SheetError)} == {Reason.APPROVAL_DECIDED}
        stored = await fleet.engine.store.approval(asked.id)
        (decision,) = stored.decisions
        assert stored.state.value == {"APPROVE": "APPROVED", "REJECT": "REJECTED"}[decision.verdict.value]


async def test_a_repeat_of_a_decision_is_answered_as_the_first(path: Place) -> None:
    async with guarded(path, approvers=2) as fleet:
        asked = await ask(fleet, await fleet.ready(SHIPS))
        for _ in range(2):
            await say(fleet, asked.id, "pia", request_id="once")
        assert len((await fleet.engine.store.approval(asked.id)).decisions) == 1


async def test_a_request_needs_a_plan_of_the_current_sheet(path: Place) -> None:
    async with guarded(path) as fleet:
        session = await fleet.ready(SHIPS)
        error = await refusal(fleet.call(session, intents.RequestApproval("0" * 64)))
        assert (error.reason, "no plan of this digest" in error.message) == (Reason.ACTION_NOT_ALLOWED, True)
        planned = await fleet.plan(session)
        await fleet.ready(SHIPS + " ", session)
        error = await refusal(fleet.call(session, intents.RequestApproval(planned.plan_digest)))
        assert error.reason is Reason.ACTION_NOT_ALLOWED


async def test_approvals_are_there_for_who_asked_and_who_may_decide(path: Place) -> None:
    """D-10."""
    async with guarded(path) as fleet:
        session = await fleet.ready(SHIPS)
        asked = [await ask(fleet, session) for _ in range(3)]
        await say(fleet, asked[0].id)
        reads = fleet.engine.approvals
        assert (await reads.get(asked[0].id, "anna", approver=False)).state is ApprovalState.APPROVED
        assert (await reads.get(asked[0].id, "pia", approver=True)).id == asked[0].id
        with pytest.raises(NotFound) as raised:
            await reads.get(asked[0].id, "bob", approver=False)
        assert raised.value.reason is Reason.APPROVAL_NOT_FOUND
        newest = [one.id for one in reversed(asked)]
        every, of_session = ApprovalFilter(), ApprovalFilter(session_id=session)
        for wanted in (every, of_session):
            assert [one.id for one in await reads.find(wanted, 10, None, "anna", approver=False)] == newest
            assert [one.id for one in await reads.find(wanted, 10, None, "pia", approver=True)] == newest
        assert await reads.find(every, 10, None, "bob", approver=False) == []
        with pytest.raises(NotFound):
            await reads.find(of_session, 10, None, "bob", approver=False)
        pending = ApprovalFilter(states=("PENDING",), plan_digest=asked[0].plan_digest)
        assert [one.id for one in await reads.find(pending, 10, None, "anna", approver=False)] == newest[:2]
        first = await reads.find(every, 1, None, "anna", approver=False)
        rest = await reads.find(every, 10, (first[0].requested_at, first[0].id), "anna", approver=False)
        assert [one.id for one in (*first, *rest)] == newest


GONE = '(ship.scrap :ship "11111111-1111-4111-8111-111111111111")'


@pytest.mark.parametrize("planned", [True, False], ids=["by its plan", "by its statements"])
@pytest.mark.parametrize(
    ("policy", "sheet", "why"),
    [
        ("deletes", SHIPS, ""),
        ("rows>2", SHIPS, ""),
        ("table:ports", SHIPS, ""),
        ("deletes", GONE, "remove"),
        ("rows>1", SHIPS, "rows, more than 1|more than 1 rows"),
        ("table:ports,table:ships", SHIPS, "changes ships|may change ships"),
    ],
)
async def test_a_submit_is_judged_by_its_plan_or_else_by_what_its_statements_may_do(
    path: Place, policy: str, sheet: str, why: str, planned: bool
) -> None:
    async with guarded(path, approve=policy) as fleet:
        fleet.change("INSERT INTO ships (ship_id, name) VALUES ('11111111-1111-4111-8111-111111111111', 'Moon')")
        session = await fleet.ready(sheet)
        fields = {"plan_digest": (await fleet.plan(session)).plan_digest} if planned else {}
        if not why:
            assert (await fleet.finish(await fleet.submit(session, **fields))).state.value == "SUCCEEDED"
            return
        error = await refusal(fleet.submit(session, **fields))
        assert error.reason is Reason.APPROVAL_REQUIRED
        assert re.search(why, error.message), error.message
        assert ("may need" in error.message) is not planned


_VERB = "  {name}: {{kind: {kind}, {of}, by: [{by}], arguments: {{{arguments}}}}}\n"
_SELECTING = {
    "port.by-key": ("update", "entity: port", "port_id"),
    "port.by-natural-key": ("delete", "entity: port", "code, country"),
    "port.by-country": ("update", "entity: port", "country"),
    "port.drop": ("delete", "entity: port", "country"),
    "call.drop": ("unlink", "table: calls", "a, b"),
    "call.drop-some": ("unlink", "table: calls", "a"),
}
VERBS = """version: 1
entities:
  port: {table: ports, key: port_id, natural_key: [code, country]}
verbs:
  call.set:
    {kind: link, table: calls, natural_key: [a, b], arguments: {a: &text {type: string, required: true}, b: *text}}
""" + "".join(
    _VERB.format(
        name=name,
        kind=kind,
        of=of,
        by=by.replace("_", "-"),
        arguments=", ".join(f"{one.replace('_', '-')}: *text" for one in [*by.split(", "), "name"]),
    ).replace(", name: *text", "" if kind != "update" else ", name: *text")
    for name, (kind, of, by) in _SELECTING.items()
)


def test_a_statement_that_selects_by_no_whole_key_may_change_many_rows() -> None:
    """Without a plan it is taken to: what it finds is known in the run alone."""
    catalog = load(VERBS, "verbs.yaml")
    many = {name for name, verb in catalog.verbs.items() if finds_many(catalog, verb)}
    assert many == {"port.by-country", "port.drop", "call.drop-some"}


async def test_a_policy_that_needs_a_second_person_needs_tokens() -> None:
    with pytest.raises(StartError, match="without tokens nobody knows who is who"):
        await open_engine(Settings(no_persist=True, approve="deletes"))
