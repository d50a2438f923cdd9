"""`sheetgrpc check`: what is wrong with a sheet, without keeping or changing anything."""

from sheetgrpc.cli.connecting import PATIENCE, reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.drawing import Source, draw_diagnostics, summarize
from sheetgrpc.cli.failure import DONE, FAILED
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address, AsJson, SheetFile, read_sheet
from sheetgrpc.cli.terminal import stdout


async def check(file: SheetFile, /, *, address: Address = DEFAULT_ADDRESS, as_json: AsJson = False) -> int:
    """Check a sheet against the catalog and tables of a running server; exits 0 if it has no errors."""
    name, text = read_sheet(file)
    async with reaching(address) as client:
        sheet = await client.sheets.check(text, deadline=PATIENCE)
    if as_json:
        print_document(document_of(sheet))
    else:
        terminal = stdout()
        draw_diagnostics(terminal, Source.of_text(name, text), sheet)
        terminal.line(summarize(name, sheet))
    return FAILED if sheet.error_count else DONE
