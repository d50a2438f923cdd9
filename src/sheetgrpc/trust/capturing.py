"""The source of a module or package, read once: the bytes that are hashed are the bytes that will run.

A unit is a top-level module: one file, or a package with all the `.py` files below it, imported or not. Compiled files
(`.pyc`, extensions) are neither read nor run. Nothing is imported here.
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path

import msgspec

from sheetgrpc.config import StartError
from sheetgrpc.paths import UnsafePath, read_below, safe_join

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MOST_FILES = 2_000
_MOST_BYTES = 16 * 1024 * 1024  # of one file
_INIT = "__init__.py"


class Source(msgspec.Struct, frozen=True):
    """One module's file: where it lay, and its bytes."""

    path: Path
    code: bytes
    package: bool


class Unit(msgspec.Struct, frozen=True):
    """What is trusted as a whole. `modules` by full name.

    `sha256` of one file is that of its bytes, what `sha256sum FILE` prints. Of a package it is that of the lines that
    `sha256sum` prints of its `.py` files, by path within the folder that the package lies in, in the order of bytes.
    """

    name: str
    version: str
    sha256: str
    modules: Mapping[str, Source]


def capture(name: str, folder: Path | None) -> Unit:
    """The unit of that name: in `folder`, if it is there, else among what is installed.

    Raises:
        StartError: there is none, or it is of a kind that cannot be covered.
    """
    if not _NAME.fullmatch(name):
        raise StartError(f'"{name}" is no name of a module: give the first word of what is imported, such as "acme"')
    if name == "sheetgrpc" or name in sys.stdlib_module_names:
        raise StartError(f'module "{name}" is part of the server or of Python itself; name a module of your own')
    root = _find(name, folder)
    try:
        files = {path: read_below(root, path, _MOST_BYTES) for path in sorted(_files(root, name), key=str.encode)}
    except UnsafePath as error:
        raise StartError(f'module "{name}" cannot be trusted: of one of its files, {error}') from error
    except OSError as error:
        raise StartError(f'module "{name}" cannot be read: {error.strerror}') from error
    return Unit(
        name=name,
        version=_version(name) if folder is None or root != folder.resolve() else "",
        sha256=_digest(files),
        modules={_module(path): _source(root, path, code) for path, code in files.items()},
    )


def _find(name: str, folder: Path | None) -> Path:
    """The folder in which the unit lies."""
    if folder is not None:
        for path in (f"{name}/{_INIT}", f"{name}.py"):
            try:
                safe_join(folder, path)
            except UnsafePath as error:
                raise StartError(f'module "{name}" cannot be trusted: of one of its files, {error}') from error
            except OSError:
                continue
            return folder.resolve()
    spec = PathFinder.find_spec(name)  # looks, and imports nothing
    if spec is None:
        where = f' in "{folder}" or' if folder is not None else ""
        raise StartError(f'there is no module "{name}"{where} among what is installed')
    if spec.origin is None or not spec.has_location:
        raise StartError(f'"{name}" is a package without {_INIT}; give it one, so that it is clear what belongs to it')
    file = Path(spec.origin)
    if file.suffix != ".py":
        raise StartError(f'module "{name}" is no Python source ({file.name}), so its bytes cannot be vouched for')
    return (file.parent.parent if file.name == _INIT else file.parent).resolve()


def _files(root: Path, name: str) -> Iterator[str]:
    """The paths of the unit's sources, from its folder on."""
    if not (root / name / _INIT).is_file():
        yield f"{name}.py"
        return
    for count, path in enumerate((root / name).rglob("*.py")):
        if count >= _MOST_FILES:
            raise StartError(f'package "{name}" has more than {_MOST_FILES:,} files; trust a smaller one')
        yield path.relative_to(root).as_posix()


def _digest(files: Mapping[str, bytes]) -> str:
    if len(files) == 1 and not next(iter(files)).endswith(_INIT):
        return hashlib.sha256(next(iter(files.values()))).hexdigest()
    lines = "".join(f"{hashlib.sha256(code).hexdigest()}  {path}\n" for path, code in files.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _source(root: Path, path: str, code: bytes) -> Source:
    return Source(path=root / path, code=code, package=path.endswith(_INIT))


def _version(name: str) -> str:
    """Of the distribution that the module was installed with, as its own metadata has it; "" for none."""
    owners = packages_distributions().get(name, [])
    return version(owners[0]) if owners else ""
