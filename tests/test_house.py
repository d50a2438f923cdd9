"""What the house asks of every file and no linter checks. A rule that is in the way is argued about, not bent here.

No file beyond 400 lines, no function beyond 60, an opening paragraph in every module, no path or host of somebody's
machine anywhere, and no module that does something when it is imported.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
MOST_LINES, MOST_LINES_A_FUNCTION = 400, 60
STUBS = ("sheetgrpc", "v1")  # generated

MODULES = sorted(
    path.relative_to(SOURCE)
    for path in SOURCE.rglob("*.py")
    if path.relative_to(SOURCE).parts[:2] != STUBS and path.relative_to(SOURCE).parts[0] == "sheetgrpc"
)
OTHERS = sorted(
    path.relative_to(ROOT)
    for folder in ("tests", "clients", "protos")
    for path in (ROOT / folder).rglob("*.py")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
_LOCAL_PATH = re.compile(r"(?<![\w.~}>-])/(?:home|root|Users|mnt|work|private/tmp)/[\w.-]+")
_HOST = re.compile(
    r"(?:index-url|extra-index|find-links|trusted-host|GOPROXY|\.npmrc)|https?://[^\s)\"'>]+/simple\b", re.IGNORECASE
)
_QUIET = """
import importlib, os, sys, threading
before, opened = threading.active_count(), []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        opened.append(arguments[0])
    elif event in ("socket.bind", "socket.connect", "subprocess.Popen", "sqlite3.connect", "os.fork", "os.remove"):
        opened.append(event)
sys.addaudithook(watch)
sys.dont_write_bytecode = True
environ, signals = dict(os.environ), __import__("signal").getsignal(15)
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert not opened, f"{name} touches {opened}"
    assert threading.active_count() == before, f"{name} starts a thread"
    assert dict(os.environ) == environ, f"{name} changes the environment"
    assert __import__("signal").getsignal(15) == signals, f"{name} takes a signal"
"""


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _tracked() -> list[Path]:
    """What is in the repository, or will be: all that git does not ignore."""
    found = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return [ROOT / name for name in found.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("module", [*(Path("src") / one for one in MODULES), *OTHERS], ids=str)
def test_no_file_is_beyond_400_lines(module: Path) -> None:
    assert len((ROOT / module).read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_function_is_beyond_60_lines(module: Path) -> None:
    functions = [
        (node.name, (node.end_lineno or 0) - node.lineno + 1)
        for node in ast.walk(_parse(SOURCE / module))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert [one for one in functions if one[1] > MOST_LINES_A_FUNCTION] == []


@pytest.mark.parametrize("module", [*(Path("src") / one for one in MODULES), *OTHERS], ids=str)
def test_every_module_opens_with_a_paragraph(module: Path) -> None:
    tree = _parse(ROOT / module)
    assert not tree.body or ast.get_docstring(tree), "say what it holds"  # an empty __init__.py holds nothing


def test_no_path_and_no_host_of_a_machine_is_in_the_repository() -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path != Path(__file__):
            found += [(str(path.relative_to(ROOT)), one) for one in (*_LOCAL_PATH.findall(text), *_HOST.findall(text))]
    assert found == []


def test_the_machine_rule_finds_what_it_looks_for() -> None:
    assert _LOCAL_PATH.findall("see /home/me/x, or (/mnt/disk), =/root/y") == ["/home/me", "/mnt/disk", "/root/y"]
    assert _LOCAL_PATH.findall("../home/me https://x.org/root/y {root}/mnt/z ~/root/a") == []
    assert len(_HOST.findall("--extra-index-url https://mirror.example/simple")) == 2


def test_every_module_can_be_imported_without_doing_anything() -> None:
    names = [".".join(module.with_suffix("").parts).removesuffix(".__init__") for module in MODULES]
    wanted = [name for name in names if not name.endswith("__main__")]
    assert "sheetgrpc.engine.engine" in wanted
    ended = subprocess.run(
        [sys.executable, "-c", _QUIET, *wanted],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
