"""An engine whose catalog also calls functions: fleet.yaml and the plug-in `fleet_calls`, trusted as it is."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.engine.driving import HERE, Driver, drive
from tests.engine.places import Place

from sheetgrpc.trust.loading import look_at

PLUGINS = HERE.parent / "plugins"


class Calls:
    """The engine, and the plug-in as it was imported."""

    def __init__(self, fleet: Driver) -> None:
        self.fleet = fleet
        self.plugin: ModuleType = sys.modules["fleet_calls"]

    def release(self) -> None:
        """Lets every handler go that waits."""
        self.plugin.GATE.set()


@asynccontextmanager
async def drive_calls(path: Place, folder: Path, **settings: Any) -> AsyncIterator[Calls]:
    """An engine; `folder` is for its catalog and allow-list. Handlers that ignored everything are let go at the end."""
    catalog, allow = folder / "calls.yaml", folder / "allow.yaml"
    catalog.write_text((HERE / "fleet.yaml").read_text() + (PLUGINS / "calls.yaml").read_text())
    module = look_at("fleet_calls", str(PLUGINS))
    allow.write_text(f'version: 1\nmodules:\n  fleet_calls: {{sha256: "{module.sha256}"}}\n')
    known = {"catalog": str(catalog), "allow": str(allow), "handlers": str(PLUGINS)}
    async with drive(path, **{**known, **settings}) as fleet:
        calls = Calls(fleet)
        for event in (calls.plugin.STARTED, calls.plugin.GATE, calls.plugin.ENDED):
            event.clear()
        calls.plugin.SEEN.clear()
        try:
            yield calls
        finally:
            calls.release()
