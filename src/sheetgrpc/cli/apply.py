"""`sheetgrpc apply`: a sheet from a file to the tables of a running server; whoever sits there is asked on the way."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.asking import confirm, somebody_there
from sheetgrpc.cli.connecting import PATIENCE, introduce, reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.drawing import Source, draw_diagnostics, summarize
from sheetgrpc.cli.effects import show_plan, show_stale
from sheetgrpc.cli.failure import DONE, FAILED, NOT_BEGUN, Failure
from sheetgrpc.cli.options import (
    DEFAULT_ADDRESS,
    STDIN,
    Address,
    AsJson,
    Priority,
    SheetFile,
    read_duration,
    read_sheet,
    read_word,
)
from sheetgrpc.cli.plan import make_plan, succeeded
from sheetgrpc.cli.progress import Display, Nothing, display_for
from sheetgrpc.cli.reporting import show_failures, show_outcome, show_phases
from sheetgrpc.cli.resolving import resolve_or_list
from sheetgrpc.cli.running import exit_code, follow
from sheetgrpc.cli.terminal import Terminal, plural, stderr, stdout
from sheetgrpc.client import Client, NotAllowed, Session, SheetgrpcError
from sheetgrpc.client.words import Mode, Outcome
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.sheet_pb2 import Sheet

CLOSE_SECONDS = 5.0


async def apply(
    file: SheetFile,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    mode: Annotated[
        Mode, Parameter(converter=read_word, help="What a failing statement does to the others.")
    ] = "ATOMIC",
    timeout: Annotated[  # noqa: ASYNC109  (of the run, not of this call)
        timedelta | None, Parameter(converter=read_duration, help="How long the run may take, such as 30s or 5m.")
    ] = None,
    plan_digest: Annotated[
        str, Parameter(help="Apply what `plan` showed with this digest, or nothing if it would be something else.")
    ] = "",
    approval: Annotated[
        str, Parameter(help="Apply the sheet of this approval, in the session that it was asked for in.")
    ] = "",
    max_rows: Annotated[
        int | None, Parameter(help="Rows that may be created, changed and deleted; beyond it nothing is applied.")
    ] = None,
    priority: Priority = 0,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> int:
    """Apply a sheet: analyse it, resolve its names, show the plan, confirm, run it in one transaction.

    What is confirmed is what is applied: if by then the plan would be another, nothing is.
    Exits 0 only if everything was committed.
    """
    if as_json and not yes:
        raise Failure("--json asks nothing: give --yes as well", NOT_BEGUN)
    name, text = read_sheet(file)
    async with reaching(address) as client:
        if approval:
            session, sheet = await _take_up(client, approval, name, text)
        else:
            session, sheet = await _begin(client, address, name, text)
        work = _Work(
            client=client,
            session=session,
            source=Source.of_text(name, text),
            address=address,
            mode=mode,
            timeout=timeout,
            digest=plan_digest,
            approval=approval,
            max_rows=max_rows,
            priority=priority,
            asking=file != STDIN and somebody_there(),
        )
        try:
            code = await (work.run_silently(sheet) if as_json else work.run_aloud(stdout(), sheet, confirmed=yes))
        except Failure:
            if not approval:  # that is for this session and no other
                await _close(session, "FAILED")
            raise
        if code == DONE or not approval:
            await _close(session, "COMPLETED" if code == DONE else "FAILED")
        return code


async def _begin(client: Client, address: str, name: str, text: str) -> tuple[Session, Sheet]:
    """A new session with the sheet, analysed."""
    session = await client.sessions.create(f"apply {PurePath(name).name}", client=introduce(address))
    await session.import_sheet(text, deadline=PATIENCE)
    return session, await session.parse_sheet(deadline=PATIENCE)


async def _take_up(client: Client, approval: str, name: str, text: str) -> tuple[Session, Sheet]:
    """The session and the sheet that an approval is about, if that is the sheet at hand."""
    found = await client.approvals.get(approval)
    if hashlib.sha256(text.encode()).hexdigest() != found.sheet_digest:
        raise Failure(f"{name} is not the sheet that approval {found.id} is for; nothing was changed", NOT_BEGUN)
    session = await client.sessions.get(found.session_id)
    return session, await client.sheets.get(sheet_id=found.sheet_id)


async def _close(session: Session, outcome: Outcome) -> None:
    with suppress(SheetgrpcError):  # what came of the sheet is known by now, and is what counts
        await session.close(outcome, deadline=CLOSE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be applied, where, and whether somebody can be asked."""

    client: Client
    session: Session
    source: Source
    address: str
    mode: Mode
    timeout: timedelta | None
    digest: str
    approval: str
    max_rows: int | None
    priority: int
    asking: bool

    async def run_aloud(self, terminal: Terminal, sheet: Sheet, *, confirmed: bool) -> int:
        draw_diagnostics(terminal, self.source, sheet)
        terminal.line(summarize(self.source.name, sheet))
        if sheet.error_count:
            return FAILED
        if sheet.unresolved_count:
            sheet = await resolve_or_list(terminal, self.client, self.session, sheet, self.source, asking=self.asking)
        show_phases(terminal, sheet)
        digest = self.digest if confirmed else await self._confirm(terminal, sheet)
        asked = self.client if self.asking else None
        execution = await self._execute(terminal, display_for(terminal, sheet), digest, asked)
        show_outcome(terminal, execution)
        show_stale(terminal, execution.error.changes)
        await show_failures(terminal, self.client, execution, self.source)
        terminal.line((f"session {self.session.id}, execution {execution.id}", "dim"))
        return exit_code(execution)

    async def run_silently(self, sheet: Sheet) -> int:
        if sheet.error_count or sheet.unresolved_count:
            print_document({"committed": False, "sheet": document_of(sheet)})
            return FAILED
        execution = await self._execute(stderr(), Nothing(), self.digest, None)
        code = exit_code(execution)
        failures = self.client.executions.results(execution.id, statuses=["FAILED", "SKIPPED"])
        print_document(
            {
                "committed": code == DONE,
                "sheet": document_of(sheet),
                "execution": document_of(execution),
                "failures": [document_of(result) async for result in failures],
            }
        )
        return code

    async def _execute(self, terminal: Terminal, display: Display, digest: str, asking: Client | None) -> Execution:
        stream = self.session.execute_sheet(
            confirm=True,
            mode=self.mode,
            timeout=self.timeout,
            plan_digest=digest,
            approval_id=self.approval,
            max_rows_affected=self.max_rows,
            priority=self.priority,
        )
        try:
            return await follow(terminal, stream, display, address=self.address, asking=asking)
        except NotAllowed as refusal:
            if refusal.reason != "PLAN_STALE":
                raise
            return await self.client.executions.get(stream.execution_id)

    async def _confirm(self, terminal: Terminal, sheet: Sheet) -> str:
        """Shows the plan and asks; the digest of what was shown, "" where the plan fails and parts of it may do."""
        if not self.asking:
            raise Failure("not confirmed, nothing was changed: run this on a terminal, or give --yes")
        planned = await make_plan(terminal, self.session, self.address, self.timeout)
        terminal.line()
        if succeeded(planned):
            await show_plan(terminal, self.client, planned)
        else:
            show_outcome(terminal, planned)
            await show_failures(terminal, self.client, planned, self.source)
            if self.mode != "BEST_EFFORT":
                raise Failure("the plan fails, nothing was changed")
        holds = f"{plural(sheet.statement_count, 'statement')} in {plural(sheet.phase_count, 'phase')}"
        if not await confirm(f"apply {holds}?"):
            raise Failure("not confirmed, nothing was changed")
        return self.digest or planned.plan_digest
