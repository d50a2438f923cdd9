"""demo: both flows on a server of its own, and what is in the tables afterwards."""

import re

from tests.cli.conftest import run


def test_the_demo_drives_both_flows_and_counts_the_rows() -> None:
    ended = run("demo", SHEETGRPC_LISTEN="taken:1", SHEETGRPC_DATABASE="sqlite:///elsewhere.db")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.raw.splitlines()
    steps = [line.split()[0] for line in lines if re.match(r"[A-Z][a-z]+[A-Z]", line)]
    assert steps == [
        *("ImportSheet", "ParseSheet", "ExecuteSheet"),
        *("SetScope", "SetTemplate", "ConfirmIntent", "GenerateSheet", "ParseSheet", "ExecuteSheet"),
    ]
    assert sum(line.startswith("committed, ") for line in lines) == 2
    assert any(re.fullmatch(r"  phase 0: \d+ done", line) for line in lines)
    rows = dict(line.split() for line in lines[lines.index("What is in the tables now") + 2 :])
    assert int(rows["entities"]) + int(rows["cbus"]) + int(rows["cbu_roles"]) > 200
    assert "\x1b" not in ended.raw
