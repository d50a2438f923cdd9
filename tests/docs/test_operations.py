"""docs/operations.md has every setting with its default, log event, exit code and reason; the unit file is sound."""

import re
import subprocess
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, read

from sheetgrpc.cli import failure
from sheetgrpc.config import Setting, Settings
from sheetgrpc.errors import Reason
from sheetgrpc.server.status import CODES

PAGE = read("docs/operations.md")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "sheetgrpc").rglob("*.py"))
EVENTS = sorted(
    set(re.findall(r'log\.(?:debug|info|warning|error|exception|log)\((?:\s*[\w.]+, )?\s*"([\w.]+)"', SOURCES))
)


def row_of(setting: Setting) -> str:
    return f"| `{setting.flag}` | `{setting.env}` | `{setting.default}` | {setting.meaning} |"


def test_the_table_of_settings_is_what_the_server_takes() -> None:
    table = [line for line in PAGE.splitlines() if line.startswith("| `--")]
    assert table == [row_of(setting) for setting in Settings.describe()]


@pytest.mark.parametrize("name", [setting.fallback for setting in Settings.describe() if setting.fallback])
def test_older_names_of_settings_are_told(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert told == [failure.DONE, failure.FAILED, failure.NOT_BEGUN, failure.INTERRUPTED]


@pytest.mark.parametrize("event", EVENTS)
def test_every_log_event_is_explained(event: str) -> None:
    assert re.search(rf"^\|[^|]*`{re.escape(event)}`", PAGE, re.MULTILINE)


def test_events_are_found_where_they_are_logged() -> None:
    assert {"rpc.finished", "server.started", "execution.interrupted", "library.log"} <= set(EVENTS)


@pytest.mark.parametrize("status", ["UNAVAILABLE", "ABORTED", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "INTERNAL"])
def test_each_status_is_told_with_all_its_reasons(status: str) -> None:
    (row,) = re.findall(rf"^\| {status} \| ([^|]*) \|", PAGE, re.MULTILINE)
    reasons = {reason.value for reason in Reason if CODES[reason].name == status}
    assert set(re.findall(r"[A-Z]+_[A-Z_]+|CONFLICT", row)) == reasons


def test_the_unit_file_is_sound(tmp_path: Path) -> None:
    text = read("deploy/README.md")
    (unit,) = re.findall(r"^```ini\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    file = tmp_path / "sheetgrpc.service"
    file.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/sh", unit), encoding="utf-8")
    given = re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE)
    assert Settings.from_env(dict(given)).database == "sqlite:////var/lib/sheetgrpc/sheetgrpc.db"
    try:
        ended = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("systemd is not installed")
    assert (ended.returncode, ended.stderr) == (0, "")
