"""`sheetgrpc trust`: what the allow-list has to say of a module as it is now, signed if asked. Needs no server."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sheetgrpc.cli.failure import FAILED, NOT_BEGUN, Failure
from sheetgrpc.cli.terminal import plural, stderr, stdout
from sheetgrpc.config import StartError

if TYPE_CHECKING:
    from sheetgrpc.trust.capturing import Source


def trust(
    module: Annotated[str, Parameter(help="Its name, the first word of what is imported.")],
    /,
    *,
    handlers: Annotated[
        str | None, Parameter(help="Folder to look in before what is installed, as of serve.", show_default=False)
    ] = None,
    sign: Annotated[
        str | None, Parameter(help="File with the Ed25519 private key to sign with.", show_default=False)
    ] = None,
    signer: Annotated[
        str | None, Parameter(help="Whose key that is: a name under signers.", show_default=False)
    ] = None,
) -> None:
    """Print the line of the allow-list that trusts a module as it is now. Look at what it does before you use it."""
    from sheetgrpc.trust import signing  # noqa: PLC0415  (`--help` need not wait for these)
    from sheetgrpc.trust.loading import decision_on, look_at  # noqa: PLC0415

    if (sign is None) != (signer is None):
        raise Failure("--sign and --signer belong together; give both or none", NOT_BEGUN)
    terminal = stderr()
    try:
        unit = look_at(module, handlers if handlers is not None else os.environ.get("SHEETGRPC_HANDLERS", ""))
        decision = decision_on(unit, signer or "")
        said = {"version": decision.version} if decision.version else {}
        said["sha256"] = decision.sha256
        if sign is not None and signer is not None:
            key = signing.read_private_key(Path(sign))
            said |= {"signer": signer, "signature": signing.sign(key, decision)}
            terminal.line(f"under signers belongs: {json.dumps(signer)}: {signing.public_line(key)}")
    except StartError as error:
        raise Failure(str(error), FAILED) from error
    except (OSError, signing.BadKey) as error:
        raise Failure(f'the key "{sign}" cannot be used: {error}', NOT_BEGUN) from error
    terminal.line(f"covers {plural(len(unit.modules), 'file')}, {_size(unit.modules.values())} bytes:")
    for source in unit.modules.values():
        terminal.line(f"  {source.path}")
    stdout().line(f"{decision.module}: {{{', '.join(f'{name}: {json.dumps(text)}' for name, text in said.items())}}}")


def _size(sources: "Iterable[Source]") -> str:
    return f"{sum(len(source.code) for source in sources):,}"
