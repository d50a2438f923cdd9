"""`sheetgrpc approvals`: plans that others must approve: asked for, listed, approved, rejected."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Annotated

from cyclopts import App, Parameter

from sheetgrpc.cli.asking import somebody_there
from sheetgrpc.cli.connecting import PATIENCE, introduce, reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.drawing import Source, draw_diagnostics
from sheetgrpc.cli.effects import show_plan
from sheetgrpc.cli.failure import DONE, FAILED, Failure
from sheetgrpc.cli.options import DEFAULT_ADDRESS, STDIN, Address, AsJson, SheetFile, first, read_sheet, read_word
from sheetgrpc.cli.plan import make_plan, succeeded
from sheetgrpc.cli.reporting import show_failures, show_outcome
from sheetgrpc.cli.resolving import resolve_or_list
from sheetgrpc.cli.terminal import Terminal, plural, shorten, shown_time, stdout
from sheetgrpc.client import Client, Session, SheetgrpcError, words
from sheetgrpc.client.words import ApprovalWord, VerdictWord
from sheetgrpc.v1.approval_pb2 import Approval
from sheetgrpc.v1.execution_pb2 import Execution

ApprovalId = Annotated[str, Parameter(help="Its id.")]
Notes = Annotated[str, Parameter(help="What the others should know.")]

_NOTES = 40  # characters

app = App(name="approvals")


@app.command(name="list")
async def list_(
    *,
    address: Address = DEFAULT_ADDRESS,
    state: Annotated[ApprovalWord | None, Parameter(converter=read_word, help="Only those in this state.")] = None,
    limit: Annotated[int, Parameter(help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List approvals, newest first: your own, or with the role approver everybody's."""
    limit = max(1, limit)
    async with reaching(address) as client:
        listed = client.approvals.list(states=[state] if state else (), page_size=min(limit, 1000))
        found = await first(limit, listed)
    if as_json:
        print_document([document_of(approval) for approval in found])
        return
    terminal = stdout()
    if not found:
        terminal.line("no approvals")
        return
    terminal.columns([["approval", "state", "changes", "asked by", "expires", "notes"], *map(_row, found)])


@app.command
async def show(
    approval: ApprovalId,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    everything: Annotated[bool, Parameter(name="--all", help="Show every change, not the first hundred.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an approval, what was said of it, and the plan that it is for."""
    async with reaching(address) as client:
        found = await client.approvals.get(approval)
        if as_json:
            print_document(document_of(found))
            return
        planned = await client.executions.get(found.plan_execution_id)
        _show(stdout(), found)
        await show_plan(stdout(), client, planned, everything=everything)


@app.command
async def request(
    file: SheetFile,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    notes: Notes = "",
    as_json: AsJson = False,
) -> int:
    """Plan a sheet and ask others to approve the plan; `apply --approval` applies it once they have.

    The session of the plan stays open for that.
    """
    name, text = read_sheet(file)
    async with reaching(address) as client:
        session = await client.sessions.create(f"apply {PurePath(name).name}", client=introduce(address))
        try:
            planned = await _plan(client, session, Source.of_text(name, text), address, asking=file != STDIN)
            if planned is None:
                return FAILED
            asked = await session.request_approval(planned.plan_digest, notes=notes)
        except (Failure, SheetgrpcError):
            with suppress(SheetgrpcError):
                await session.close("FAILED")
            raise
        if as_json:
            print_document(document_of(asked))
            return DONE
        terminal = stdout()
        await show_plan(terminal, client, planned)
        terminal.line(f"approval {asked.id} asked for, {plural(asked.approvers_needed, 'approver')} must approve")
        terminal.line(f"then: sheetgrpc apply {name} --approval {asked.id} --address {address}")
        return DONE


@app.command
async def approve(
    approval: ApprovalId, /, *, address: Address = DEFAULT_ADDRESS, notes: Notes = "", as_json: AsJson = False
) -> None:
    """Approve a plan that somebody else asks to have approved."""
    await _decide(approval, "APPROVE", notes, address, as_json=as_json)


@app.command
async def reject(
    approval: ApprovalId, /, *, address: Address = DEFAULT_ADDRESS, notes: Notes = "", as_json: AsJson = False
) -> None:
    """Reject a plan that somebody else asks to have approved."""
    await _decide(approval, "REJECT", notes, address, as_json=as_json)


async def _decide(approval: str, verdict: VerdictWord, notes: str, address: str, *, as_json: bool) -> None:
    async with reaching(address) as client:
        decided = await client.approvals.decide(approval, verdict, notes=notes)
    if as_json:
        print_document(document_of(decided))
    else:
        _show(stdout(), decided)


async def _plan(client: Client, session: Session, source: Source, address: str, *, asking: bool) -> Execution | None:
    """A plan of the sheet; None, and why on the terminal, where there is none."""
    terminal = stdout()
    await session.import_sheet(source.raw.decode(), deadline=PATIENCE)
    sheet = await session.parse_sheet(deadline=PATIENCE)
    if sheet.error_count:
        draw_diagnostics(terminal, source, sheet)
        await session.close("FAILED")
        return None
    if sheet.unresolved_count:
        there = asking and somebody_there()
        await resolve_or_list(terminal, client, session, sheet, source, asking=there)
    planned = await make_plan(terminal, session, address, None)
    if succeeded(planned):
        return planned
    show_outcome(terminal, planned)
    await show_failures(terminal, client, planned, source)
    await session.close("FAILED")
    return None


def _show(terminal: Terminal, approval: Approval) -> None:
    state = words.approval_state(approval.state).lower()
    said = f"{len(approval.decisions)} of {plural(approval.approvers_needed, 'approver')}"
    terminal.line(f"approval {approval.id} is {state}, {said}", ", used" if approval.used_by_execution_id else "")
    terminal.line(f"asked for by {approval.requested_by}, expires {shown_time(approval.expire_time)}")
    if approval.notes:
        terminal.line(f"notes: {approval.notes}")
    for one in approval.decisions:
        word = "approved" if words.verdict(one.verdict) == "APPROVE" else "rejected"
        terminal.line(f"{one.approver} {word} {shown_time(one.time)}", f": {one.notes}" if one.notes else "")


def _row(approval: Approval) -> Sequence[str]:
    rows = sum(one.created + one.updated + one.deleted for one in approval.tables)
    used = " (used)" if approval.used_by_execution_id else ""
    return [
        approval.id,
        words.approval_state(approval.state) + used,
        plural(rows, "row"),
        approval.requested_by,
        shown_time(approval.expire_time),
        shorten(approval.notes, _NOTES),
    ]
