"""serve: one line on stdout, logs on stderr, settings from flags and environment, an end in order."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.conftest import command, environment, listening, run, serve

from sheetgrpc.client import connect
from sheetgrpc.config import Settings


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_server_says_where_it_listens_and_ends_in_order(tmp_path: Path, sent: signal.Signals) -> None:
    process = serve("--listen", "127.0.0.1:0", "--database", f"sqlite:///{tmp_path}/a.db")
    host, _, port = listening(process).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10):
        pass
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert all(line.startswith("{") for line in err.splitlines())


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_server_runs_on_the_quicker_loop_where_it_is_installed(tmp_path: Path, loop: str) -> None:
    if loop == "asyncio":
        (tmp_path / "uvloop.py").write_text("raise ImportError('not installed')\n")
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    process = serve("--listen", "127.0.0.1:0", "--database", f"sqlite:///{tmp_path}/a.db", PYTHONPATH=path)
    asyncio.run(_call(listening(process), 3))
    assert logged(process)["server.started"]["loop"] == loop


async def _call(address: str, times: int) -> None:
    async with connect(address) as client:
        for _ in range(times):
            await client.control.server_info()


def test_a_server_whose_log_nobody_reads_goes_on_and_ends(tmp_path: Path) -> None:
    process = serve("--listen", "127.0.0.1:0", "--database", f"sqlite:///{tmp_path}/a.db")
    asyncio.run(_call(listening(process), 600))  # a line each: twice as much as a pipe holds
    process.terminate()
    assert process.wait(timeout=60) == 0
    process.communicate()


def test_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    process = serve(SHEETGRPC_LISTEN="127.0.0.1:0", SHEETGRPC_DATABASE=f"sqlite:///{tmp_path}/b.db")
    listening(process)
    process.terminate()
    process.communicate(timeout=60)
    assert (tmp_path / "b.db").exists()


def test_every_setting_is_a_flag_with_its_variable_and_default() -> None:
    told = run("serve", "--help", COLUMNS="400").raw
    for setting in Settings.describe():
        assert f"{setting.flag} " in told
        assert f"Default {setting.default}; or {setting.env}." in told


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--listen": "nowhere"}, '--listen is "nowhere"'),
        ({"--database": "mysql://x"}, '--database is "mysql://x"'),
        ({"--catalog": "no-such-catalog"}, "no-such-catalog"),
        ({"--database": "sqlite:////no/such/directory/a.db"}, "/no/such/directory"),
        ({"--max-nesting": "deep", "--drain-timeout": "soon"}, "--drain-timeout is"),
    ],
)
def test_a_start_that_fails_says_why_and_exits_1(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    flags = {"--listen": "127.0.0.1:0", "--database": f"sqlite:///{tmp_path}/c.db", **changed}
    ended = run("serve", *(part for flag in flags.items() for part in flag))
    assert (ended.code, ended.raw) == (1, "")
    assert said in ended.err


NEWER = """
CREATE TABLE sheetgrpc_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at integer NOT NULL);
INSERT INTO sheetgrpc_migrations VALUES (999, 'far_away', 0);
"""


def database_of(script: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)

    return make


UNOPENABLE: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: path.mkdir(), "Is a directory"),
    (lambda path: path.symlink_to(path), "Too many levels"),
    (lambda path: path.write_bytes(b"something else " * 100), "file is not a database"),
    (database_of(NEWER), "has schema 999, this program knows up to"),
    (database_of("CREATE TABLE sheetgrpc_sessions (id);"), "no record of their version"),
]


@pytest.mark.parametrize(("make", "said"), UNOPENABLE)
def test_a_database_that_cannot_be_opened_fails_the_start_in_one_line(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    """B8, C-R64, C-R65."""
    make(tmp_path / "e.db")
    ended = run("serve", "--listen", "127.0.0.1:0", "--database", f"sqlite:///{tmp_path}/e.db")
    assert (ended.code, ended.raw, ended.err.count("\n")) == (1, "", 1)
    assert said in ended.err


def unprivileged() -> list[str]:
    """What a command is begun with so that modes of files count, for root too."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("nothing is unreadable for root, and setpriv is not installed")
    dropped = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"]


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_place_that_may_not_be_written_fails_the_start_in_one_line(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=mode)
    arguments = command("serve", "--listen", "127.0.0.1:0", "--database", f"sqlite:///{folder}/e.db")
    ended = subprocess.run(
        [*unprivileged(), *arguments], capture_output=True, text=True, timeout=60, env=environment(), check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert "Permission denied" in ended.stderr


def logged(process: "subprocess.Popen[str]") -> dict[str, dict[str, str]]:
    """What an ending server has logged, by event."""
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    return {line["event"]: line for line in map(json.loads, err.splitlines())}


@pytest.mark.parametrize(("make", "said"), UNOPENABLE)
def test_a_server_serves_from_memory_instead_if_it_is_asked_to(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    """P2."""
    make(tmp_path / "f.db")
    database = f"sqlite:///{tmp_path}/f.db"
    process = serve("--listen", "127.0.0.1:0", "--database", database, "--no-persist-fallback")
    assert run("sessions", "--address", listening(process)).raw == "no sessions\n"
    told = logged(process)
    assert told["store.fallback"]["level"] == "error"
    assert said in told["store.fallback"]["problem"]
    assert told["store.in_memory"]["level"] == "warning"
    assert told["server.started"]["database"] == "in memory"


def test_a_server_that_keeps_nothing_says_so_and_touches_no_file(tmp_path: Path) -> None:
    """P1."""
    process = serve("--no-persist", SHEETGRPC_LISTEN="127.0.0.1:0", SHEETGRPC_DATABASE=f"sqlite:///{tmp_path}/g.db")
    listening(process)
    told = logged(process)
    assert (told["store.in_memory"]["level"], told["server.started"]["database"]) == ("warning", "in memory")
    assert "store.fallback" not in told
    assert list(tmp_path.iterdir()) == []


def test_the_fallback_is_not_taken_where_the_database_opens(tmp_path: Path) -> None:
    process = serve(
        "--no-persist-fallback", SHEETGRPC_LISTEN="127.0.0.1:0", SHEETGRPC_DATABASE=f"sqlite:///{tmp_path}/h.db"
    )
    listening(process)
    assert {"store.in_memory", "store.fallback"}.isdisjoint(logged(process))
    assert (tmp_path / "h.db").exists()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("serve", "--listen", listen, "--database", f"sqlite:///{tmp_path}/d.db")
    assert ended.code == 1
    assert f"cannot listen at {listen}" in ended.err


def test_an_unknown_flag_is_exit_code_2() -> None:
    assert run("serve", "--frobnicate", "1").code == 2
