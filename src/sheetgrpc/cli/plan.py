"""`sheetgrpc plan`: what a sheet would do to the tables of a running server, and nothing of it done."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.asking import somebody_there
from sheetgrpc.cli.connecting import PATIENCE, introduce, reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.drawing import Source, draw_diagnostics, summarize
from sheetgrpc.cli.effects import changes_anything, show_plan
from sheetgrpc.cli.failure import CHANGES, DONE, FAILED
from sheetgrpc.cli.options import DEFAULT_ADDRESS, STDIN, Address, AsJson, SheetFile, read_duration, read_sheet
from sheetgrpc.cli.progress import Nothing
from sheetgrpc.cli.reporting import show_failures, show_outcome
from sheetgrpc.cli.resolving import resolve_or_list
from sheetgrpc.cli.running import follow
from sheetgrpc.cli.terminal import Terminal, stderr, stdout
from sheetgrpc.client import Client, Session, SheetgrpcError, words
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.sheet_pb2 import Sheet

CLOSE_SECONDS = 5.0


async def plan(
    file: SheetFile,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    timeout: Annotated[  # noqa: ASYNC109  (of the run, not of this call)
        timedelta | None, Parameter(converter=read_duration, help="How long the dry run may take, such as 30s or 5m.")
    ] = None,
    everything: Annotated[bool, Parameter(name="--all", help="Show every change, not the first hundred.")] = False,
    detailed: Annotated[
        bool, Parameter(name="--detailed-exitcode", help="Exit 3 instead of 0 where something would change.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Plan a sheet: run it dry, in a transaction that is rolled back, and show what it would change.

    `apply --plan-digest` with the digest that is shown applies exactly that, or nothing. Exits 0 if there is a plan.
    """
    name, text = read_sheet(file)
    async with reaching(address) as client:
        session = await client.sessions.create(f"plan {PurePath(name).name}", client=introduce(address))
        work = _Work(client=client, session=session, source=Source.of_text(name, text), address=address, within=timeout)
        try:
            await session.import_sheet(text, deadline=PATIENCE)
            sheet = await session.parse_sheet(deadline=PATIENCE)
            asking = file != STDIN and somebody_there()
            silent = as_json
            planned = await (work.run_silently(sheet) if silent else work.run_aloud(sheet, asking, everything))
        finally:
            with suppress(SheetgrpcError):  # which ends the dry run too, if it is left early
                await session.close("COMPLETED", deadline=CLOSE_SECONDS)
    if planned is None or not succeeded(planned):
        return FAILED
    return CHANGES if detailed and changes_anything(planned) else DONE


async def make_plan(terminal: Terminal, session: Session, address: str, within: timedelta | None) -> Execution:
    """A dry run of a READY session's sheet, ended."""
    queued = await session.plan_sheet(timeout=within)
    return await follow(terminal, session.watch(queued.id), Nothing(), address=address)


def succeeded(planned: Execution) -> bool:
    """True if an execution would commit."""
    return words.execution_state(planned.state) == "SUCCEEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be planned, and where."""

    client: Client
    session: Session
    source: Source
    address: str
    within: timedelta | None

    async def run_aloud(self, sheet: Sheet, asking: bool, everything: bool) -> Execution | None:
        terminal = stdout()
        draw_diagnostics(terminal, self.source, sheet)
        terminal.line(summarize(self.source.name, sheet))
        if sheet.error_count:
            return None
        if sheet.unresolved_count:
            await resolve_or_list(terminal, self.client, self.session, sheet, self.source, asking=asking)
        planned = await make_plan(terminal, self.session, self.address, self.within)
        if not succeeded(planned):
            show_outcome(terminal, planned)
            await show_failures(terminal, self.client, planned, self.source)
            return planned
        await show_plan(terminal, self.client, planned, everything=everything)
        terminal.line((f"digest {planned.plan_digest}", "dim"))
        return planned

    async def run_silently(self, sheet: Sheet) -> Execution | None:
        if sheet.error_count or sheet.unresolved_count:
            print_document({"sheet": document_of(sheet)})
            return None
        planned = await make_plan(stderr(), self.session, self.address, self.within)
        failures = self.client.executions.results(planned.id, statuses=["FAILED", "SKIPPED"])
        print_document(
            {
                "sheet": document_of(sheet),
                "execution": document_of(planned),
                "effects": [document_of(effect) async for effect in self.client.executions.effects(planned.id)],
                "failures": [document_of(result) async for result in failures],
            }
        )
        return planned
