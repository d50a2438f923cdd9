"""`sheetgrpc token`: makes a bearer token, and the line that tells a server whose it is."""

from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.failure import NOT_BEGUN, Failure
from sheetgrpc.cli.terminal import stderr


def token(
    name: Annotated[str, Parameter(help="Whose it is to be: what sessions and logs will say.")],
    /,
    *,
    role: Annotated[
        tuple[str, ...], Parameter(help="operator (holds the queue), approver (decides approvals); may be repeated.")
    ] = (),
) -> None:
    """Make a token: prints the token and, below it, the line for the server's token file.

    The token is printed this once and kept nowhere; the line holds its hash alone.
    """
    from sheetgrpc.server import tokens  # noqa: PLC0415  (as `serve`: other commands need nothing of the server)

    try:
        made, line = tokens.make(name, role)
    except ValueError as error:
        raise Failure(str(error), NOT_BEGUN) from error
    stderr().line("the token, shown this once, and the line for the file that `serve --tokens` names:")
    print(made)
    print(line)
