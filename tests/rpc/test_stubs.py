"""The committed stubs are those that the protos make."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_stubs_are_those_of_the_protos() -> None:
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("NOT CHECKED whether the stubs are fresh: grpcio-tools is not installed (make install)")
    check = subprocess.run(
        [sys.executable, ROOT / "protos" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stdout) == (0, ""), check.stdout + check.stderr
