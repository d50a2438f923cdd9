"""What the tests ask of the process that dies for them."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Survived:
    """The command was done before the point was reached."""

    reply: bytes
    points: list[str]  # that it passed


class Crasher:
    """A process that forks one to die as often as it is asked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def crash(self, path: Path, case: str, point: int, *, runs: bool = False) -> Survived | None:
        """Sends the case's command to the database and dies at the point (from 1); None if it did.

        `runs`: the execution that the command queues is run as well, and counted.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"path": str(path), "case": case, "point": point, "runs": runs}) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        if told["killed"]:
            return None
        return Survived(bytes.fromhex(told["reply"]), told["points"])

    def close(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=30)
