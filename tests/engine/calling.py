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


def plugged(folder: Path, *modules: str) -> dict[str, Any]:
    """The settings of an engine that calls into these plug-ins; `folder` is for its catalog and allow-list."""
    catalog, allow = folder / "calls.yaml", folder / "allow.yaml"
    texts = [HERE / "fleet.yaml", *(PLUGINS / f"{module}.yaml" for module in modules)]
    catalog.write_text("".join(text.read_text() for text in texts))
    lines = [f'  {module}: {{sha256: "{look_at(module, str(PLUGINS)).sha256}"}}\n' for module in modules]
    allow.write_text("version: 1\nmodules:\n" + "".join(lines))
    return {"catalog": str(catalog), "allow": str(allow), "handlers": str(PLUGINS)}


@asynccontextmanager
async def drive_calls(path: Place, folder: Path, **settings: Any) -> AsyncIterator[Calls]:
    """An engine; `folder` is for its catalog and allow-list. Handlers that ignored everything are let go at the end."""
    async with drive(path, **{**plugged(folder, "fleet_calls"), **settings}) as fleet:
        calls = Calls(fleet)
        for event in (calls.plugin.STARTED, calls.plugin.GATE, calls.plugin.ENDED):
            event.clear()
        calls.plugin.SEEN.clear()
        try:
            yield calls
        finally:
            calls.release()
