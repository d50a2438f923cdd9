"""serve: one line on stdout, logs on stderr, settings from flags and environment, an end in order."""

import signal
import socket
from pathlib import Path

import pytest
from tests.cli.conftest import listening, run, serve

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


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("serve", "--listen", listen, "--database", f"sqlite:///{tmp_path}/d.db")
    assert ended.code == 1
    assert f"cannot listen at {listen}" in ended.err


def test_an_unknown_flag_is_exit_code_2() -> None:
    assert run("serve", "--frobnicate", "1").code == 2
