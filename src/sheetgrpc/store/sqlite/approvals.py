"""Reads and writes approvals and their decisions; functions of a connection, as reads.py and changes.py are."""

import sqlite3

import msgspec

from sheetgrpc.errors import Conflict, NotFound, Reason
from sheetgrpc.session.approvals import Approval, Decision
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import ApprovalChange, ApprovalFilter

_SQL = load_queries("sqlite")
_END_OF_TIME = (2**63 - 1, "")
_SHOWN = 80  # characters of a caller's text in a message

_approval = msgspec.json.Decoder(Approval)
_decisions = msgspec.json.Decoder(tuple[Decision, ...])
_encode = msgspec.json.Encoder().encode


def read_approval(connection: sqlite3.Connection, approval_id: str) -> Approval:
    """One approval."""
    row = connection.execute(_SQL["approval"], {"id": approval_id.upper()}).fetchone()
    if row is None:
        shown = approval_id[:_SHOWN]
        raise NotFound(Reason.APPROVAL_NOT_FOUND, f'there is no approval "{shown}"', resource=("approval", shown))
    return _read(*row)


def read_approvals(
    connection: sqlite3.Connection, wanted: ApprovalFilter, limit: int, before: tuple[int, str] | None
) -> list[Approval]:
    """A page, newest requested first."""
    requested_at, approval_id = before or _END_OF_TIME
    parameters = msgspec.structs.asdict(wanted) | {
        "states": _encode(wanted.states).decode(),
        "requested_at": requested_at,
        "id": approval_id,
        "limit": limit,
    }
    name = "approvals_of_session" if wanted.session_id else "approvals"
    return [_read(*row) for row in connection.execute(_SQL[name], parameters).fetchall()]


def write_approval(connection: sqlite3.Connection, change: ApprovalChange) -> None:
    """Writes a new one, or a change of one that nobody else has changed. Raises Conflict."""
    approval = change.approval
    row = msgspec.structs.asdict(approval)
    del row["decisions"], row["touched"]
    row["body"] = _encode(msgspec.structs.replace(approval, decisions=()))
    query = _SQL["add_approval" if approval.revision == 1 else "change_approval"]
    if connection.execute(query, row).rowcount != 1:
        text = f'approval "{approval.id}" was changed by another command; read it again'
        raise Conflict(Reason.CONFLICT, text)
    if change.decision is not None:
        decision = change.decision
        told = {"approval_id": approval.id, "approver": decision.approver, "at": decision.at}
        connection.execute(_SQL["add_decision"], told | {"body": _encode(decision).decode()})


def _read(body: bytes, decisions: str) -> Approval:
    return msgspec.structs.replace(_approval.decode(body), decisions=_decisions.decode(decisions))
