"""Reads and writes approvals and their decisions; functions of a connection, as reads.py and changes.py are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from sheetgrpc.errors import Conflict, NotFound, Reason
from sheetgrpc.session.approvals import Approval, Decision
from sheetgrpc.store.postgres.texts import storable
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import ApprovalChange, ApprovalFilter

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_END_OF_TIME = (2**63 - 1, "")
_SHOWN = 80  # characters of a caller's text in a message

_approval = msgspec.json.Decoder(Approval)
_decision = msgspec.json.Decoder(Decision)
_encode = msgspec.json.Encoder().encode


async def read_approval(connection: "Connection", approval_id: str) -> Approval:
    """One approval."""
    row = await connection.fetchrow(_SQL["approval"], storable(approval_id.upper()))
    if row is None:
        shown = approval_id[:_SHOWN]
        raise NotFound(Reason.APPROVAL_NOT_FOUND, f'there is no approval "{shown}"', resource=("approval", shown))
    return _read(*row)


async def read_approvals(
    connection: "Connection", wanted: ApprovalFilter, limit: int, before: tuple[int, str] | None
) -> list[Approval]:
    """A page, newest requested first."""
    rows = await connection.fetch(
        _SQL["approvals"],
        *(before or _END_OF_TIME),
        wanted.states,
        wanted.session_id,
        storable(wanted.plan_digest),
        storable(wanted.execution_id),
        storable(wanted.sheet_id),
        wanted.requested_by,
        limit,
    )
    return [_read(*row) for row in rows]


async def write_approval(connection: "Connection", change: ApprovalChange) -> None:
    """Writes a new one, or a change of one that nobody else has changed. Raises Conflict."""
    approval = change.approval
    kept = approval.id, approval.state, approval.decided_at, approval.used_by, approval.revision
    body = _encode(msgspec.structs.replace(approval, decisions=()))
    if approval.revision == 1:
        named = approval.session_id, approval.execution_id, approval.sheet_id, approval.plan_digest
        whose = approval.requested_by, approval.requested_at
        done = await connection.execute(_SQL["add_approval"], *kept, body, *named, *whose)
    else:
        done = await connection.execute(_SQL["change_approval"], *kept, body)
    if not done.endswith(" 1"):
        text = f'approval "{approval.id}" was changed by another command; read it again'
        raise Conflict(Reason.CONFLICT, text)
    if change.decision is not None:
        decision = change.decision
        await connection.execute(_SQL["add_decision"], approval.id, decision.approver, decision.at, _encode(decision))


def _read(body: bytes, decisions: Sequence[bytes]) -> Approval:
    said = tuple(_decision.decode(one) for one in decisions)
    return msgspec.structs.replace(_approval.decode(body), decisions=said)
