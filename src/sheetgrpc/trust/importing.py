"""Imports captured modules: what Python runs of them are the captured bytes, whatever lies on the disk by then.

A finder of ours comes before all others for as long as the process lives, since a handler may import a module of its
package only when it is called. Whatever else a module imports is found as always.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_loader
from types import CodeType, ModuleType

from sheetgrpc.config import StartError
from sheetgrpc.trust.capturing import Source, Unit


class _Loader(InspectLoader):
    """Of one module."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def is_package(self, fullname: str) -> bool:  # noqa: ARG002  # importlib's form
        return self._source.package

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        return decode_source(self._source.code)

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self.source_to_code(self._source.code, str(self._source.path))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._source.path)  # for tracebacks, and for who looks for files beside it
        super().exec_module(module)


class _Finder(MetaPathFinder):
    """Of all units that this process trusts. A name below one of them that was not captured is not there."""

    def __init__(self) -> None:
        self.units: dict[str, Unit] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        unit = self.units.get(fullname.partition(".")[0])
        if unit is None:
            return None
        source = unit.modules.get(fullname)
        if source is None:
            raise ModuleNotFoundError(f"no file of this name was there when {unit.name} was read", name=fullname)
        return spec_from_loader(fullname, _Loader(source), origin=str(source.path), is_package=source.package)


_finder = _Finder()


def admit(units: Sequence[Unit]) -> None:
    """From here on these units are imported from what was captured of them.

    Raises StartError if one of them has been imported already, from whatever bytes were there.
    """
    for unit in units:
        before = _finder.units.get(unit.name)
        if before is None and unit.name in sys.modules:
            raise StartError(
                f'module "{unit.name}" was imported before it could be checked; name it as a handler alone'
            )
        if before is not None and before.sha256 != unit.sha256:  # another engine of this process had other bytes
            _forget(unit.name)
        _finder.units[unit.name] = unit
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def load(module: str) -> ModuleType:
    """Imports a module of an admitted unit. Raises StartError with what went wrong, for whoever starts the server."""
    if module.partition(".")[0] not in _finder.units:
        raise RuntimeError("admit() comes first")
    try:
        return import_module(module)
    except Exception as error:
        raise StartError(f'module "{module}" cannot be imported: {type(error).__name__}: {error}') from error


def _forget(unit: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == unit]:
        del sys.modules[name]
