"""The command line as a whole: help, version, what it imports."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.cli.conftest import command, environment, run

COMMANDS = [
    *("serve", "demo", "apply", "check", "sessions", "show", "events", "label", "fork", "undo", "redo", "resume"),
    *("record", "watch", "snapshot", "restore", "trust"),
    *("queue", "executions", "replay"),
]


def test_version_is_that_of_the_package() -> None:
    assert run("--version").raw == version("sheetgrpc") + "\n"


def test_help_names_every_command_and_the_exit_codes() -> None:
    ended = run("--help", COLUMNS="200")
    assert ended.code == 0
    assert all(f" {command} " in ended.raw for command in COMMANDS)
    assert "Exit codes: 0 done" in ended.raw


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    ended = run(command, "--help")
    assert ended.code == 0
    assert ended.raw.startswith(f"Usage: sheetgrpc {command}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_an_output_that_takes_no_more_is_told(address: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command("sessions", "--address", address),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"error: cannot go on: No space left on device\n")


def test_help_does_not_wait_for_grpc() -> None:
    program = "import sys; from sheetgrpc.cli.main import main; main(['--help']); assert 'grpc' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, env=environment(), capture_output=True, timeout=60)
