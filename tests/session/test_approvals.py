"""The rules of approvals: who may decide, how often, what one may be used for, and which executions need one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sheetgrpc.errors import NotAllowed, PermissionDenied, Reason
from sheetgrpc.session.approvals import (
    Approval,
    ApprovalState,
    Decision,
    Policy,
    Touched,
    Verdict,
    check_use,
    decide,
    read_policy,
    use,
)

ASKED = Approval(
    id="A",
    session_id="S",
    execution_id="E",
    sheet_id="H",
    sheet_digest="d1",
    plan_digest="p1",
    catalog_digest="c1",
    requested_by="ana",
    requested_at=100,
    expires_at=200,
    needed=2,
)
FIT = {"session_id": "S", "sheet_digest": "d1", "catalog_digest": "c1", "submitter": "ana", "now": 150}


def said(approver: str, verdict: Verdict = Verdict.APPROVE, at: int = 150) -> Decision:
    return Decision(approver, verdict, "", at)


APPROVED = decide(decide(ASKED, said("pia")), said("paul", at=151))


def test_the_last_yes_that_is_needed_approves() -> None:
    """P1: decided_at comes with the state, once."""
    first = decide(ASKED, said("pia"))
    assert (first.state, first.decided_at, first.revision) == (ApprovalState.PENDING, None, 2)
    assert (APPROVED.state, APPROVED.decided_at, APPROVED.revision) == (ApprovalState.APPROVED, 151, 3)


def test_one_no_rejects() -> None:
    rejected = decide(decide(ASKED, said("pia")), said("paul", Verdict.REJECT))
    assert (rejected.state, rejected.decided_at) == (ApprovalState.REJECTED, 150)


@pytest.mark.parametrize(
    ("approval", "decision", "state"),
    [
        (APPROVED, said("olga"), "APPROVED"),
        (decide(ASKED, said("pia", Verdict.REJECT)), said("paul"), "REJECTED"),
        (decide(ASKED, said("pia")), said("pia"), "PENDING"),
        (decide(ASKED, said("pia")), said("pia", Verdict.REJECT), "PENDING"),
        (ASKED, said("pia", at=200), "EXPIRED"),
    ],
    ids=["approved", "rejected", "twice", "of another mind", "expired"],
)
def test_a_decision_that_comes_too_late_or_twice_is_refused(approval: Approval, decision: Decision, state: str) -> None:
    with pytest.raises(NotAllowed) as raised:
        decide(approval, decision)
    assert raised.value.reason is Reason.APPROVAL_DECIDED
    assert raised.value.metadata == {"approval": "A", "state": state}


@pytest.mark.parametrize("approval", [ASKED, APPROVED])
def test_whoever_asks_does_not_decide(approval: Approval) -> None:
    for verdict in Verdict:
        with pytest.raises(PermissionDenied):
            decide(approval, said("ana", verdict))


def test_an_approval_that_fits_may_be_used() -> None:
    check_use(APPROVED, **FIT)  # type: ignore[arg-type]  # each of its own type


@pytest.mark.parametrize(
    ("approval", "other", "why"),
    [
        (APPROVED, {"session_id": "S2"}, "is for another session"),
        (APPROVED, {"sheet_digest": "d2"}, "is for another sheet"),
        (APPROVED, {"catalog_digest": "c2"}, "is for another catalog"),
        (APPROVED, {"now": 200}, "has expired"),
        (APPROVED, {"submitter": "pia"}, "is the submitter's own"),
        (use(APPROVED, "X", 160), {}, "was used already"),
        (decide(ASKED, said("pia", Verdict.REJECT)), {}, "was rejected"),
        (ASKED, {}, "needs 2 more of 2 approvers"),
        (decide(ASKED, said("pia")), {}, "needs 1 more of 2 approvers"),
    ],
    ids=lambda one: one.replace(" ", "-") if isinstance(one, str) else "",
)
def test_an_approval_is_for_what_was_approved_and_nothing_else(
    approval: Approval, other: dict[str, object], why: str
) -> None:
    with pytest.raises(NotAllowed, match=why) as raised:
        check_use(approval, **(FIT | other))  # type: ignore[arg-type]  # as above
    assert raised.value.reason is Reason.APPROVAL_REQUIRED


STEPS = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(list(Verdict)), st.integers(100, 220)), max_size=8)


@given(STEPS, st.integers(1, 4))
def test_whatever_is_said_it_is_decided_once_and_by_enough(steps: list[tuple[str, Verdict, int]], needed: int) -> None:
    approval = replace(ASKED, requested_by="a", needed=needed)
    for approver, verdict, at in steps:
        try:
            after = decide(approval, said(approver, verdict, at))
        except (NotAllowed, PermissionDenied):
            continue
        assert approval.state is ApprovalState.PENDING
        approval = after
    yes = {one.approver for one in approval.decisions if one.verdict is Verdict.APPROVE}
    no = [one for one in approval.decisions if one.verdict is Verdict.REJECT]
    assert len({one.approver for one in approval.decisions}) == len(approval.decisions) == approval.revision - 1
    assert "a" not in yes
    assert (approval.state is ApprovalState.APPROVED) == (len(yes) >= needed and not no)
    assert (approval.state is ApprovalState.REJECTED) == bool(no)
    assert (approval.decided_at is None) == (approval.state is ApprovalState.PENDING)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Policy()),
        ("always", Policy(always=True)),
        ("deletes, rows>10,table:cbus,table:t-2", Policy(False, True, 10, frozenset({"cbus", "t-2"}))),
        ("rows>10,rows>5", Policy(rows=5)),
    ],
)
def test_a_policy_is_read_from_its_words(text: str, policy: Policy) -> None:
    assert read_policy(text) == policy
    assert bool(read_policy(text)) == bool(text)


@pytest.mark.parametrize(
    ("text", "touched", "why"),
    [
        ("", [Touched("a", created=9, deleted=9)], ""),
        ("always", [], "every execution does"),
        ("deletes", [Touched("a", created=9, updated=9)], ""),
        ("deletes", [Touched("a", deleted=1), Touched("b", deleted=2)], "it removes rows of a, b"),
        ("rows>3", [Touched("a", created=1, updated=1), Touched("b", deleted=1, unchanged=9)], ""),
        ("rows>3", [Touched("a", created=2, updated=1), Touched("b", deleted=1)], "it changes 4 rows, more than 3"),
        ("table:b", [Touched("a", created=1), Touched("b", unchanged=1)], ""),
        ("table:b", [Touched("b", updated=1)], "it changes b"),
    ],
)
def test_a_policy_covers_what_it_names(text: str, touched: list[Touched], why: str) -> None:
    assert read_policy(text).covers(touched) == why
