"""docs/grpc.md is true: its tour is taken with each tool that is here, on a fresh server, and every answer compared.

Ids, keys, times, digests and tokens are masked on both sides; `"..."` in the page stands for what it leaves out. buf
comes with the dev extra; grpcurl is used where one is on PATH or named by GRPCURL.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2
from tests.flows.serving import serve

from sheetgrpc.errors import Reason
from sheetgrpc.server import app
from sheetgrpc.server.status import CODES
from sheetgrpc.v1 import error_reason_pb2

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "grpc.md").read_text(encoding="utf-8")
REASONS = (ROOT / "protos" / "sheetgrpc" / "v1" / "error_reason.proto").read_text(encoding="utf-8")
REST = "..."
SECONDS = 60

STEP = re.compile(
    r"^```sh\n(?P<buf>buf curl .*?)\n(?P<grpcurl>grpcurl .*?)\n```\n\n"
    r"(?:Refused; `buf curl` exits (?P<buf_exit>\d+), `grpcurl` (?P<grpcurl_exit>\d+):\n\n)?"
    r"```(?P<form>json|text)\n(?P<answer>.*?)\n```\n"
    r"(?P<kept>(?:\nKept for what follows: [^\n]*\n)*)",
    re.MULTILINE | re.DOTALL,
)
KEPT = re.compile(r"`(?P<name>[A-Z]+)` is `(?P<path>[\w.]+)`")
MASKS = {
    "<id>": r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b",
    "<key>": r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    "<digest>": r"\b[0-9a-f]{64}\b",
    "<time>": r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "<duration>": r"^\d+\.\d+s$",
}
TOKENS = {"resumeToken", "nextPageToken"}
ROW = re.compile(
    r"^\| (?P<reason>[A-Z_]+) \| (?P<code>[A-Z_]+) \| (?P<meaning>[^|]+) \| (?P<do>[^|]+) \|$", re.MULTILINE
)


@dataclass(frozen=True)
class Step:
    """Two command lines that say the same, and what is answered."""

    line: int
    commands: Mapping[str, str]
    exits: Mapping[str, int]
    answer: str
    form: str
    kept: Mapping[str, str]


def steps() -> Iterator[Step]:
    for found in STEP.finditer(PAGE):
        yield Step(
            line=PAGE.count("\n", 0, found.start()) + 1,
            commands={"buf": found["buf"], "grpcurl": found["grpcurl"]},
            exits={"buf": int(found["buf_exit"] or 0), "grpcurl": int(found["grpcurl_exit"] or 0)},
            answer=found["answer"],
            form=found["form"],
            kept={one["name"]: one["path"] for one in KEPT.finditer(found["kept"])},
        )


STEPS = tuple(steps())


def find_tool(tool: str) -> str | None:
    """Where the tool is: named by its variable, beside this Python, or on PATH."""
    beside = Path(sys.executable).parent / tool
    return os.environ.get(tool.upper()) or (str(beside) if beside.exists() else shutil.which(tool))


@dataclass
class Shell:
    """Runs the page's command lines as they stand."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, **self.variables, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environ, timeout=SECONDS, check=False
        )


@pytest.mark.parametrize("tool", ["buf", "grpcurl"])
def test_the_tour_is_true(tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = find_tool(tool)
    if found is None:
        missing = f"{tool} is not here: the commands of docs/grpc.md WERE NOT RUN with it"
        with capsys.disabled():
            print(f"\n{missing}")
        pytest.skip(missing)
    with serve(tmp_path / "tour.db") as (process, _):
        shell = Shell(Path(found).parent, {"HOST": process.address})
        for step in STEPS:
            take(step, tool, shell)


def take(step: Step, tool: str, shell: Shell) -> None:
    """One step; what it keeps is there for those that follow."""
    ended = shell.run(step.commands[tool])
    told = f"docs/grpc.md:{step.line}: {step.commands[tool]}\n{ended.stdout}{ended.stderr}"
    assert ended.returncode == step.exits[tool], told
    if step.form == "json":
        answers = [camel(one) for one in documents(ended.stdout)]
        compare(camel(wanted_documents(step.answer)), answers, told)
        for name, path in step.kept.items():
            shell.variables[name] = follow(answers[-1], path)
    elif step.exits[tool]:
        read = read_buf_refusal if tool == "buf" else read_grpcurl_refusal
        assert mask(read(ended.stderr)) == mask(read_grpcurl_refusal(step.answer)), told
    else:
        assert ended.stdout.strip() == step.answer, told


def documents(text: str) -> list[Any]:
    """The JSON documents that follow each other in a text."""
    found, at, decoder = [], 0, json.JSONDecoder()
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    return found


def wanted_documents(text: str) -> list[Any]:
    """As `documents`, with REST for a line of dots."""
    found: list[Any] = []
    for at, part in enumerate(re.split(r"^\.\.\.$", text, flags=re.MULTILINE)):
        found += [*([REST] if at else []), *documents(part)]
    return found


def camel(value: Any) -> Any:
    """grpcurl 1.8 names fields as the proto does. Names of columns are changed with them, on both sides."""
    if isinstance(value, dict):
        return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): camel(one) for key, one in value.items()}
    return [camel(one) for one in value] if isinstance(value, list) else value


def compare(wanted: Any, got: Any, told: str, path: str = "answer") -> None:
    """Fails where the page and the answer differ, but for what the page leaves out."""
    if isinstance(wanted, dict):
        assert isinstance(got, dict), f"{path}\n{told}"
        named = wanted.keys() - {REST}
        assert named <= got.keys() if REST in wanted else named == got.keys(), f"{path}: {got.keys() ^ named}\n{told}"
        for key in named:
            if key in TOKENS:
                assert bool(got[key]) == bool(wanted[key]), f"{path}.{key}\n{told}"
            else:
                compare(wanted[key], got[key], told, f"{path}.{key}")
    elif isinstance(wanted, list):
        compare_lists(wanted, got, told, path)
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted), f"{path}: {got}\n{told}"
    else:
        assert mask(got) == mask(wanted), f"{path}: {got!r} is not {wanted!r}\n{told}"


def compare_lists(wanted: list[Any], got: Any, told: str, path: str) -> None:
    """REST stands for any number of items; what follows it is the end, or the next item that has the same fields."""
    at = 0
    for place, one in enumerate(wanted):
        if one == REST:
            if place == len(wanted) - 1:
                return
            following = wanted[place + 1].keys() - {REST}
            at = next((n for n in range(at, len(got)) if following <= got[n].keys()), len(got))
        else:
            assert at < len(got), f"{path}: nothing follows the {at} that came\n{told}"
            compare(one, got[at], told, f"{path}[{at}]")
            at += 1
    assert at == len(got), f"{path}: {len(got) - at} more than shown\n{told}"


def mask(value: Any) -> Any:
    """A text without what differs from run to run."""
    if isinstance(value, str):
        for shown, pattern in MASKS.items():
            value = re.sub(pattern, shown, value)
        return value
    if isinstance(value, dict):
        return {key: mask(one) for key, one in value.items()}
    return [mask(one) for one in value] if isinstance(value, list) else value


def follow(value: Any, path: str) -> str:
    """The value at a path such as `sheet.phases.0.depth`."""
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    return str(value)


def read_grpcurl_refusal(text: str) -> list[Any]:
    """Code, message, details by type."""
    code, message = re.search(r"Code: (\w+)", text), re.search(r"Message: (.*)", text)
    assert code is not None
    assert message is not None
    details = [json.loads(one) for one in re.findall(r"^\s*\d+\)\s*(\{.*\})$", text, re.MULTILINE)]
    return [code[1].lower(), message[1], *details]


def read_buf_refusal(text: str) -> list[Any]:
    """The same of what buf prints: JSON with the details in base64."""
    told = json.loads(text)
    details = []
    for one in told["details"]:
        kind = getattr(error_details_pb2, one["type"].rpartition(".")[2])
        detail = kind.FromString(base64.b64decode(one["value"] + "=" * (-len(one["value"]) % 4)))
        shown = json_format.MessageToDict(detail, preserving_proto_field_name=True)
        details.append({"@type": f"type.googleapis.com/{one['type']}", **shown})
    return [told["code"].replace("_", ""), told["message"], *details]


def test_every_rpc_has_a_line_for_each_tool() -> None:
    for service in app.SERVICES:
        for method in service.methods:
            name = f"{service.full_name}/{method.name}"
            for tool in ("buf", "grpcurl"):
                called = [step for step in STEPS if re.search(rf"\b{re.escape(name)}$", step.commands[tool])]
                assert called, f"docs/grpc.md has no {tool} line for {name}"
            assert f"{service.name}.{method.name}\n" in PAGE, f"docs/grpc.md has no heading for {name}"


def test_no_command_of_the_page_is_left_out() -> None:
    assert len(STEPS) == PAGE.count("```sh\n")


def test_both_tools_say_the_same() -> None:
    for step in STEPS:
        said = [re.search(r"-d ('.*') ", step.commands[tool]) for tool in ("buf", "grpcurl")]
        assert (said[0] and said[0][1]) == (said[1] and said[1][1]), step.line


def test_every_reason_is_told_with_its_code() -> None:
    told = {row["reason"]: row["code"] for row in ROW.finditer(PAGE)}
    codes = {reason: code for code, reason in re.findall(r"// ([A-Z_]+)\. [^\n]*\n\s+ERROR_REASON_(\w+) =", REASONS)}
    assert told == codes
    names = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118  # protobuf's own
    assert set(told) == names - {"UNSPECIFIED"}
    assert {reason: CODES[reason].name for reason in Reason} == {reason: told[reason] for reason in Reason}
