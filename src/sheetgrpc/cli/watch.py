"""`sheetgrpc watch`: an execution followed to its end, whoever started it."""

from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.connecting import reaching
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address
from sheetgrpc.cli.progress import display_for
from sheetgrpc.cli.reporting import show_failures, show_outcome
from sheetgrpc.cli.running import exit_code, follow
from sheetgrpc.cli.terminal import stdout


async def watch(execution: Annotated[str, Parameter(help="Its id.")], /, *, address: Address = DEFAULT_ADDRESS) -> int:
    """Watch an execution to its end; exits 0 only if everything was committed."""
    terminal = stdout()
    async with reaching(address) as client:
        run = await client.executions.get(execution)
        sheet = await client.sheets.get(sheet_id=run.sheet_id)
        ended = await follow(terminal, client.executions.watch(run.id), display_for(terminal, sheet), address=address)
        show_outcome(terminal, ended)
        await show_failures(terminal, client, ended, None)
    return exit_code(ended)
