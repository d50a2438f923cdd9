"""`sheetgrpc apply`: a sheet from a file to the tables of a running server; whoever sits there is asked on the way."""

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
from sheetgrpc.cli.failure import DONE, FAILED, NOT_BEGUN, Failure
from sheetgrpc.cli.options import (
    DEFAULT_ADDRESS,
    STDIN,
    Address,
    AsJson,
    SheetFile,
    read_duration,
    read_sheet,
    read_word,
)
from sheetgrpc.cli.progress import Nothing, display_for
from sheetgrpc.cli.reporting import show_failures, show_outcome, show_phases
from sheetgrpc.cli.resolving import draw_reference, resolve
from sheetgrpc.cli.running import exit_code, follow
from sheetgrpc.cli.terminal import Terminal, plural, stderr, stdout
from sheetgrpc.client import Client, Session, SheetgrpcError
from sheetgrpc.client.words import Mode, Outcome
from sheetgrpc.v1.sheet_pb2 import Sheet

CLOSE_SECONDS = 5.0
MOST_NAMES = 20


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
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> int:
    """Apply a sheet: analyse it, resolve its names, confirm, run it in one transaction.

    Exits 0 only if everything was committed.
    """
    if as_json and not yes:
        raise Failure("--json asks nothing: give --yes as well", NOT_BEGUN)
    name, text = read_sheet(file)
    async with reaching(address) as client:
        session = await client.sessions.create(f"apply {PurePath(name).name}", client=introduce(address))
        await session.import_sheet(text, deadline=PATIENCE)
        sheet = await session.parse_sheet(deadline=PATIENCE)
        work = _Work(
            client=client,
            session=session,
            source=Source.of_text(name, text),
            address=address,
            mode=mode,
            timeout=timeout,
            asking=file != STDIN and somebody_there(),
        )
        try:
            code = await (work.run_silently(sheet) if as_json else work.run_aloud(stdout(), sheet, confirmed=yes))
        except Failure:
            await _close(session, "FAILED")
            raise
        await _close(session, "COMPLETED" if code == DONE else "FAILED")
        return code


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
    asking: bool

    async def run_aloud(self, terminal: Terminal, sheet: Sheet, *, confirmed: bool) -> int:
        draw_diagnostics(terminal, self.source, sheet)
        terminal.line(summarize(self.source.name, sheet))
        if sheet.error_count:
            return FAILED
        if sheet.unresolved_count:
            sheet = await self._resolve(terminal, sheet)
        show_phases(terminal, sheet)
        await self._confirm(sheet, confirmed=confirmed)
        stream = self.session.execute_sheet(confirm=True, mode=self.mode, timeout=self.timeout)
        display = display_for(terminal, sheet)
        asked = self.client if self.asking else None
        execution = await follow(terminal, stream, display, address=self.address, asking=asked)
        show_outcome(terminal, execution)
        await show_failures(terminal, self.client, execution, self.source)
        terminal.line((f"session {self.session.id}, execution {execution.id}", "dim"))
        return exit_code(execution)

    async def run_silently(self, sheet: Sheet) -> int:
        if sheet.error_count or sheet.unresolved_count:
            print_document({"committed": False, "sheet": document_of(sheet)})
            return FAILED
        stream = self.session.execute_sheet(confirm=True, mode=self.mode, timeout=self.timeout)
        execution = await follow(stderr(), stream, Nothing(), address=self.address)
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

    async def _resolve(self, terminal: Terminal, sheet: Sheet) -> Sheet:
        if self.asking:
            return await resolve(terminal, self.client, self.session, sheet, self.source)
        names = {(reference.entity_type, reference.text): reference for reference in sheet.unresolved_references}
        for reference in list(names.values())[:MOST_NAMES]:
            draw_reference(terminal, self.source, reference)
            terminal.line()
        raise Failure(
            f"{plural(sheet.unresolved_count, 'name')} to be resolved, and nobody to ask: "
            "run this on a terminal, or write keys in the sheet"
        )

    async def _confirm(self, sheet: Sheet, *, confirmed: bool) -> None:
        if confirmed:
            return
        if not self.asking:
            raise Failure("not confirmed, nothing was changed: run this on a terminal, or give --yes")
        holds = f"{plural(sheet.statement_count, 'statement')} in {plural(sheet.phase_count, 'phase')}"
        if not await confirm(f"apply {holds}?"):
            raise Failure("not confirmed, nothing was changed")
