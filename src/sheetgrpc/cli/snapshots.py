"""`sheetgrpc snapshot` and `restore`: a database to a file and back, without a server (one may run meanwhile)."""

import os
from typing import Annotated

from cyclopts import Parameter

from sheetgrpc.cli.failure import FAILED, Failure
from sheetgrpc.cli.terminal import plural, stdout
from sheetgrpc.config import Settings, StartError

_ENV = ("SHEETGRPC_DATABASE", "DATABASE_URL")  # no other setting is looked at: a backup must not fail over one
Database = Annotated[
    str | None,
    Parameter(name="--database", help="The database, as of serve: sqlite:///PATH.", show_default=False),
]


def snapshot(
    file: Annotated[str, Parameter(help="The snapshot to write.")],
    /,
    *,
    database: Database = None,
    force: Annotated[bool, Parameter(help="Overwrite FILE.")] = False,
) -> None:
    """Write a snapshot of a database, of one commit. A server may run on it meanwhile."""
    from sheetgrpc.clock import wall_clock  # noqa: PLC0415  (`--help` need not wait for these)
    from sheetgrpc.store.base import StoreRefused  # noqa: PLC0415
    from sheetgrpc.store.opening import snapshot_store  # noqa: PLC0415

    try:
        header = snapshot_store(_url(database), file, wall_clock(), force=force)
    except StoreRefused as error:
        raise Failure(str(error), FAILED) from error
    stdout().line(f"snapshot {file}: {header.bytes:,} bytes, schema {header.schema_version}")
    stdout().line(f"incarnation {header.incarnation}")


async def restore(
    file: Annotated[str, Parameter(help="A snapshot.")],
    /,
    *,
    database: Database = None,
) -> None:
    """Make a new database of a snapshot. Sessions that were open in it are closed, executions interrupted."""
    from sheetgrpc.engine import restoring  # noqa: PLC0415
    from sheetgrpc.errors import Unavailable  # noqa: PLC0415
    from sheetgrpc.store.base import StoreRefused  # noqa: PLC0415

    url = _url(database)
    try:
        restored = await restoring.restore(file, url)
    except (StoreRefused, Unavailable) as error:
        raise Failure(str(error), FAILED) from error
    header = restored.header
    stdout().line(f"restored {url}: {header.bytes:,} bytes, schema {header.schema_version}")
    closed, interrupted = restored.sessions_closed, restored.executions_interrupted
    stdout().line(f"closed {plural(closed, 'session')}, interrupted {plural(interrupted, 'execution')}")
    stdout().line(f"incarnation {restored.incarnation}, before {header.incarnation}")


def _url(database: str | None) -> str:
    """The database that is meant; Failure if it is none."""
    environ = {name: value for name in _ENV if (value := os.environ.get(name))}
    try:
        return Settings.from_env(environ, database=database).database
    except StartError as error:
        raise Failure(str(error), FAILED) from error
