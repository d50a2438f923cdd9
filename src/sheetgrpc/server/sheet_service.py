"""SheetService: each method reads the request, calls the engine once, writes the answer."""

from sheetgrpc.engine import intents
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.views import Outcome
from sheetgrpc.server.calls import Call
from sheetgrpc.server.commands import run_command
from sheetgrpc.server.convert import requests
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.sessions import with_session, write_symbol
from sheetgrpc.server.convert.sheets import (
    write_diagnostic,
    write_phase,
    write_reference,
    write_sheet,
    write_statement,
)
from sheetgrpc.server.identity import APPROVER
from sheetgrpc.server.paging import NAMES, POSITIONS, read_page
from sheetgrpc.v1 import sheet_pb2
from sheetgrpc.v1 import sheet_service_pb2 as pb

_BEFORE_FIRST = -1


class SheetService:
    """Sheets: made, parsed, resolved, read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sheets = engine.sheets

    async def check_sheet(self, request: pb.CheckSheetRequest, _call: Call) -> pb.CheckSheetResponse:
        """Says what is wrong with a text."""
        return pb.CheckSheetResponse(sheet=write_sheet(await self._sheets.check(request.source)))

    async def import_sheet(self, request: pb.ImportSheetRequest, call: Call) -> bytes:
        """Imports a text."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_import_sheet,
            lambda outcome: with_session(pb.ImportSheetResponse(sheet=_sheet(outcome)), outcome.session),
        )

    async def generate_sheet(self, request: pb.GenerateSheetRequest, call: Call) -> bytes:
        """Generates a sheet."""
        return await run_command(
            self._engine,
            call,
            request,
            lambda _form, _request: intents.GenerateSheet(),
            lambda outcome: with_session(pb.GenerateSheetResponse(sheet=_sheet(outcome)), outcome.session),
        )

    async def parse_sheet(self, request: pb.ParseSheetRequest, call: Call) -> bytes:
        """Parses the current sheet."""
        return await run_command(
            self._engine,
            call,
            request,
            lambda _form, _request: intents.ParseSheet(),
            lambda outcome: with_session(pb.ParseSheetResponse(sheet=_sheet(outcome)), outcome.session),
        )

    async def resolve_reference(self, request: pb.ResolveReferenceRequest, call: Call) -> bytes:
        """Resolves a reference."""
        return await run_command(
            self._engine,
            call,
            request,
            requests.read_resolve_reference,
            lambda outcome: with_session(pb.ResolveReferenceResponse(sheet=_sheet(outcome)), outcome.session),
        )

    async def get_sheet(self, request: pb.GetSheetRequest, call: Call) -> pb.GetSheetResponse:
        """Gets a sheet."""
        form = Form()
        target = requests.read_target(form, request)
        form.done()
        owner = await self._reader(call, target[1])
        return pb.GetSheetResponse(sheet=write_sheet(await self._sheets.get(*target, owner)))

    async def list_statements(self, request: pb.ListStatementsRequest, call: Call) -> pb.ListStatementsResponse:
        """Lists statements."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        target, depth = requests.read_target(form, request), requests.read_depth(form, request)
        form.done()
        after = _BEFORE_FIRST if page.after is None else page.after
        owner = await self._reader(call, target[1])
        found = await self._sheets.statements(*target, after, page.wanted, depth, owner)
        statements, token = page.write(found, write_statement, lambda _, view: view.index)
        return pb.ListStatementsResponse(statements=statements, next_page_token=token)

    async def list_phases(self, request: pb.ListPhasesRequest, call: Call) -> pb.ListPhasesResponse:
        """Lists phases."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        target = requests.read_target(form, request)
        form.done()
        after = _BEFORE_FIRST if page.after is None else page.after
        found = await self._sheets.phases(*target, after, page.wanted, call.caller)
        phases, token = page.write(found, write_phase, lambda _, view: view.depth)
        return pb.ListPhasesResponse(phases=phases, next_page_token=token)

    async def list_diagnostics(self, request: pb.ListDiagnosticsRequest, call: Call) -> pb.ListDiagnosticsResponse:
        """Lists diagnostics."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        target = requests.read_target(form, request)
        form.done()
        skipped = page.after or 0
        found = await self._sheets.diagnostics(*target, skipped, page.wanted, call.caller)
        diagnostics, token = page.write(found, write_diagnostic, lambda at, _: skipped + at + 1)
        return pb.ListDiagnosticsResponse(diagnostics=diagnostics, next_page_token=token)

    async def list_references(self, request: pb.ListReferencesRequest, call: Call) -> pb.ListReferencesResponse:
        """Lists references."""
        form = Form()
        page = read_page(form, request, POSITIONS, call.max_send_bytes)
        target = requests.read_target(form, request)
        form.done()
        after = _BEFORE_FIRST if page.after is None else page.after
        unresolved = request.unresolved_only
        found = await self._sheets.references(*target, after, page.wanted, call.caller, unresolved_only=unresolved)
        references, token = page.write(found, write_reference, lambda _, view: view.position)
        return pb.ListReferencesResponse(references=references, next_page_token=token)

    async def list_symbols(self, request: pb.ListSymbolsRequest, call: Call) -> pb.ListSymbolsResponse:
        """Lists symbols."""
        form = Form()
        page = read_page(form, request, NAMES, call.max_send_bytes)
        session = form.name("session", request.session)
        form.done()
        found = await self._engine.list_symbols(session, page.after or "", page.wanted, call.caller)
        symbols, token = page.write(found, write_symbol, lambda _, row: row.name)
        return pb.ListSymbolsResponse(symbols=symbols, next_page_token=token)

    async def _reader(self, call: Call, sheet_id: str) -> str | None:
        """Whose sheets this call may read: of a plan that is to be approved, an approver may read anybody's."""
        return await self._engine.approvals.reader(call.caller, approver=APPROVER in call.roles, sheet_id=sheet_id)


def _sheet(outcome: Outcome) -> sheet_pb2.Sheet | None:
    return write_sheet(outcome.sheet) if outcome.sheet is not None else None
