"""Generates the Python stubs in src/sheetgrpc/v1 from protos/, or checks with --check that they are fresh.

Runs protoc of grpcio-tools with the plug-ins of mypy-protobuf; the versions are pinned in pyproject.toml, and the same
versions give the same bytes. It knows nothing of what the protos say.
"""

# ruff: noqa: INP001 - a script beside the protos, not part of a package
import argparse
import importlib.resources
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]  # grpcio-tools ships no types

PROTOS = Path(__file__).resolve().parent
SOURCES = PROTOS.parent / "src"
PACKAGE = Path("sheetgrpc", "v1")
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def main() -> int:
    """Generates, or with --check compares; exits 1 if a stub is stale, missing or extra, naming each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if a stub is not fresh")
    check = bool(parser.parse_args().check)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = stubs(Path(folder) / PACKAGE)
    target = SOURCES / PACKAGE
    differing = compare(fresh, stubs(target))
    for name, what in sorted(differing.items()):
        sys.stdout.write(f"{what if check else 'was ' + what}: {PACKAGE / name}\n")
    if not check:
        update(target, fresh, differing)
        return 0
    if differing:
        sys.stderr.write("the stubs are not those of protos/: run `make protos` and commit them\n")
    return int(bool(differing))


def generate(folder: Path) -> None:
    """Writes every stub into `folder`: messages of all protos, and services of those named `*_service.proto`."""
    run_protoc(folder, "*.proto", ("--python_out={}", "--mypy_out=quiet:{}"))
    run_protoc(folder, "*_service.proto", ("--grpc_python_out={}", "--mypy_grpc_out=quiet:{}"))


def run_protoc(folder: Path, pattern: str, outs: Sequence[str]) -> None:
    """Runs protoc on the protos that match, raising SystemExit where it refuses them."""
    arguments = [
        "protoc",
        f"--proto_path={PROTOS}",
        f"--proto_path={importlib.resources.files('grpc_tools') / '_proto'}",
        *(f"--plugin={name}={find_plugin(name)}" for name in PLUGINS),
        *(out.format(folder) for out in outs),
        *sorted(str(path) for path in (PROTOS / PACKAGE).glob(pattern)),
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc refused the protos: see above")


def find_plugin(name: str) -> str:
    """The path of a protoc plug-in: beside this Python, whether or not its environment is activated, else on PATH."""
    path = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if path is None:
        raise SystemExit(f"{name} is not installed: run `make install`")
    return path


def stubs(folder: Path) -> dict[str, str]:
    """The generated files of `folder`: name to text."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*_pb2*.py*")}


def compare(fresh: dict[str, str], present: dict[str, str]) -> dict[str, str]:
    """What is wrong with the files that are present: name to "missing", "extra" or "stale"."""
    differing = dict.fromkeys(fresh.keys() - present.keys(), "missing")
    differing |= dict.fromkeys(present.keys() - fresh.keys(), "extra")
    return differing | {name: "stale" for name in fresh.keys() & present.keys() if fresh[name] != present[name]}


def update(folder: Path, fresh: dict[str, str], differing: dict[str, str]) -> None:
    """Makes the files of `folder` the fresh ones, touching only those that differ."""
    for name in differing:
        if name in fresh:
            (folder / name).write_text(fresh[name], encoding="utf-8", newline="\n")
        else:
            (folder / name).unlink()


if __name__ == "__main__":
    sys.exit(main())
