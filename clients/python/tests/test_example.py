"""The example does what the README says, against a server of its own, twice."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "example.py"


def run_example(address: str) -> list[list[str]]:
    ended = subprocess.run([sys.executable, EXAMPLE, address], capture_output=True, text=True, timeout=60, check=True)
    return [line.split() for line in ended.stdout.splitlines()]


def test_the_example_creates_and_then_finds_what_it_created(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/example.db"
    server = subprocess.Popen(
        [sys.executable, "-m", "sheetgrpc", "serve", "--listen", "127.0.0.1:0", "--database", database],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        first, second = run_example(address), run_example(address)
    finally:
        server.terminate()
        server.communicate(timeout=60)
    results = [line for line in first if line[0].isdigit()]
    assert ["SUCCEEDED"] in first
    assert [(index, effect) for index, effect, *_ in results] == [("0", "CREATED"), ("1", "CREATED"), ("2", "CREATED")]
    found = [line for line in second if line[0].isdigit()]
    assert [effect for _, effect, *_ in found] == ["UNCHANGED"] * 3
    assert [line[2:] for line in found] == [line[2:] for line in results]  # the same rows by the same keys
