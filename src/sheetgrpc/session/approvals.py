"""Approvals: what one is bound to, how it is decided, what it may be used for, and which executions need one.

Pure: rows, clocks and catalogs are the engine's. An approval is for one plan of one session, by its digest; whoever
asked for it and whoever submits with it may not approve it; the execution that uses it is committed with that use.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NoReturn

import msgspec
from msgspec.structs import replace

from sheetgrpc.errors import NotAllowed, PermissionDenied, Reason


class ApprovalState(StrEnum):
    """How an approval was decided, once."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class Verdict(StrEnum):
    """What one approver says."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"


class Touched(msgspec.Struct, frozen=True):
    """Rows that an execution changes in one table."""

    table: str
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    @property
    def rows(self) -> int:
        """Rows created, changed and removed."""
        return self.created + self.updated + self.deleted


class Decision(msgspec.Struct, frozen=True):
    """What an approver has said; an approver says it once. `at` is in microseconds since 1970 UTC."""

    approver: str
    verdict: Verdict
    notes: str
    at: int


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One approval. Times are microseconds since 1970 UTC; `revision` counts its changes from 1."""

    id: str
    session_id: str
    execution_id: str  # the plan that was asked about
    sheet_id: str
    sheet_digest: str
    plan_digest: str
    catalog_digest: str
    requested_by: str
    requested_at: int
    expires_at: int
    needed: int  # approvers who must say yes
    touched: tuple[Touched, ...] = ()
    notes: str = ""
    state: ApprovalState = ApprovalState.PENDING
    decided_at: int | None = None
    used_by: str = ""  # execution
    used_at: int | None = None
    revision: int = 1
    decisions: tuple[Decision, ...] = ()


class Policy(msgspec.Struct, frozen=True):
    """Which executions need an approval: any that one of these fits."""

    always: bool = False
    deletes: bool = False
    rows: int | None = None  # more than so many
    tables: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there may be an execution that needs one."""
        return self != Policy()

    def covers(self, touched: Sequence[Touched]) -> str:
        """Why an execution that does this needs an approval, as the end of a sentence; "" if it does not."""
        total = sum(one.rows for one in touched)
        named = sorted(one.table for one in touched if one.rows and one.table in self.tables)
        removed = sorted(one.table for one in touched if one.deleted)
        if self.always:
            return "every execution does"
        if self.deletes and removed:
            return f"it removes rows of {', '.join(removed)}"
        if self.rows is not None and total > self.rows:
            return f"it changes {total:,} rows, more than {self.rows:,}"
        return f"it changes {', '.join(named)}" if named else ""


def read_policy(text: str) -> Policy:
    """A policy as the setting has it, already checked for form: `always`, `deletes`, `rows>N`, `table:NAME`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    rows = [int(word.partition(">")[2]) for word in words if word.startswith("rows>")]
    return Policy(
        always="always" in words,
        deletes="deletes" in words,
        rows=min(rows) if rows else None,
        tables=frozenset(word.removeprefix("table:") for word in words if word.startswith("table:")),
    )


def decide(approval: Approval, decision: Decision) -> Approval:
    """The approval after an approver has spoken: one no rejects it, the last yes that is needed approves it.

    Raises NotAllowed(APPROVAL_DECIDED), PermissionDenied where the approver asked for it.
    """
    if decision.approver == approval.requested_by:
        text = "whoever asks for an approval may not decide it; somebody else must"
        raise PermissionDenied(Reason.PERMISSION_DENIED, text, metadata={"approval": approval.id})
    if approval.state is not ApprovalState.PENDING:
        _refuse_decision(approval, approval.state.value, f"is {approval.state.value} already")
    if approval.expires_at <= decision.at:
        _refuse_decision(approval, "EXPIRED", "has expired; ask for another")
    if any(one.approver == decision.approver for one in approval.decisions):
        _refuse_decision(approval, approval.state.value, "has your decision already; somebody else's is needed")
    decisions = (*approval.decisions, decision)
    after = replace(approval, decisions=decisions, revision=approval.revision + 1)
    if decision.verdict is Verdict.REJECT:
        return replace(after, state=ApprovalState.REJECTED, decided_at=decision.at)
    if len(decisions) >= approval.needed:
        return replace(after, state=ApprovalState.APPROVED, decided_at=decision.at)
    return after


def check_use(
    approval: Approval, *, session_id: str, sheet_digest: str, catalog_digest: str, submitter: str, now: int
) -> None:
    """Raises NotAllowed(APPROVAL_REQUIRED), which says why, unless this submitter may use it for this content now."""
    missing = approval.needed - len(approval.decisions)
    problems = {
        "is for another session": approval.session_id != session_id,
        "is for another sheet": approval.sheet_digest != sheet_digest,
        "is for another catalog": approval.catalog_digest != catalog_digest,
        "was used already": bool(approval.used_by),
        "was rejected": approval.state is ApprovalState.REJECTED,
        f"needs {missing} more of {approval.needed} approvers": approval.state is ApprovalState.PENDING,
        "has expired": approval.expires_at <= now,
        "is the submitter's own": any(one.approver == submitter for one in approval.decisions),
    }
    for problem, there in problems.items():
        if there:
            raise required(f"approval {approval.id} {problem}", approval=approval.id)


def use(approval: Approval, execution_id: str, now: int) -> Approval:
    """The approval, used by an execution."""
    return replace(approval, used_by=execution_id, used_at=now, revision=approval.revision + 1)


def required(why: str, **metadata: str) -> NotAllowed:
    """The refusal of an execution that needs an approval."""
    text = f"{why}; ask for an approval of the plan with RequestApproval, and submit with its id once it is approved"
    return NotAllowed(Reason.APPROVAL_REQUIRED, text, metadata=metadata)


def _refuse_decision(approval: Approval, state: str, why: str) -> NoReturn:
    metadata = {"approval": approval.id, "state": state}
    raise NotAllowed(Reason.APPROVAL_DECIDED, f"approval {approval.id} {why}", metadata=metadata)
