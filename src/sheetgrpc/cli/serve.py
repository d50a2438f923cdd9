"""`sheetgrpc serve`: the server in this process, its settings from flags and environment."""

import inspect
import os
from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.failure import FAILED, Failure
from sheetgrpc.config import Setting, Settings, StartError


def serve(**flags: str | bool | None) -> None:
    """Run a server until SIGTERM or Ctrl-C. Prints `listening on HOST:PORT` once it accepts calls; logs to stderr."""
    from sheetgrpc.server import app  # noqa: PLC0415  (`serve --help` need not wait for gRPC)

    try:
        app.run(Settings.from_env(os.environ, **flags), _tell)
    except StartError as error:
        raise Failure(str(error), FAILED) from error


def _tell(address: str) -> None:
    print(f"listening on {address}", flush=True)


def _flag(setting: Setting) -> inspect.Parameter:
    kind = bool | None if setting.switch else str | None
    told = f"{setting.meaning[0].upper()}{setting.meaning[1:]}. Default {setting.default}; or {setting.env}."
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, Parameter(name=setting.flag, help=told, show_default=False)],
    )


# One flag a setting, from the one list of settings: cyclopts reads the signature.
_FLAGS = [_flag(setting) for setting in Settings.describe()]
serve.__signature__ = inspect.Signature(_FLAGS)  # type: ignore[attr-defined]  # functions may have one; typeshed does not say
serve.__annotations__ = {flag.name: flag.annotation for flag in _FLAGS}
