"""The files in deploy/ are sound: what they set there is, what belongs together agrees. (The linters: `make check`.)"""

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.pages import ROOT, read
from tests.flows.serving import serve

from sheetgrpc.config import Settings, _seconds

COMPOSE = yaml.safe_load(read("deploy/compose.yaml"))
REPLICA = COMPOSE["services"]["sheetgrpc"]
KINDS = {one["kind"]: one for one in yaml.safe_load_all(read("deploy/kubernetes.yaml"))}
POD = KINDS["Deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
DOCKERFILE = read("deploy/Dockerfile")
IMAGE = dict(re.findall(r"\b(SHEETGRPC_\w+)=(\S+)", DOCKERFILE.replace("$SHEETGRPC", "")))
PLACES = {
    "Dockerfile": IMAGE,
    "compose": REPLICA["environment"],
    "kubernetes": KINDS["ConfigMap"]["data"] | KINDS["Secret"]["stringData"],
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_set_are_settings_with_values_that_they_take(place: str) -> None:
    given = PLACES[place]
    known = {setting.env for setting in Settings.describe()} | {"PGPASSWORD"}
    assert set(given) <= known
    assert all(isinstance(value, str) for value in given.values())
    Settings.from_env(given)


@pytest.mark.parametrize("place", ["compose", "kubernetes"])
def test_the_database_is_a_postgresql_and_its_password_is_apart(place: str) -> None:
    settings = Settings.from_env(IMAGE | PLACES[place])
    assert settings.database.startswith("postgresql://sheetgrpc@")
    assert "PGPASSWORD" in PLACES[place]


def test_all_speak_of_one_port() -> None:
    port = 50051
    assert IMAGE["SHEETGRPC_LISTEN"] == KINDS["ConfigMap"]["data"]["SHEETGRPC_LISTEN"] == f"0.0.0.0:{port}"
    assert f"EXPOSE {port}" in DOCKERFILE
    assert REPLICA["ports"] == [f"127.0.0.1:50051-50053:{port}"]
    (named,) = CONTAINER["ports"]
    assert named == {"name": "grpc", "containerPort": port}
    assert [one["port"] for one in KINDS["Service"]["spec"]["ports"]] == [port]
    assert CONTAINER["startupProbe"]["grpc"] == CONTAINER["readinessProbe"]["grpc"] == {"port": port}


def test_a_stop_waits_for_the_drain() -> None:
    for settings, waits in (
        (REPLICA["environment"], _seconds(REPLICA["stop_grace_period"])),
        (KINDS["ConfigMap"]["data"], POD["terminationGracePeriodSeconds"]),
    ):
        assert waits > Settings.from_env(settings).drain_timeout


def test_an_absent_database_takes_replicas_out_of_use_and_ends_none() -> None:
    """Health tells of the database, so it may not be what a replica is killed by."""
    assert set(CONTAINER["livenessProbe"]) & {"grpc", "exec"} == set()
    for probe in ("startupProbe", "readinessProbe"):
        assert CONTAINER[probe]["timeoutSeconds"] > Settings().writer_timeout  # by then it has answered


def test_three_replicas_of_which_two_stay() -> None:
    assert REPLICA["deploy"]["replicas"] == KINDS["Deployment"]["spec"]["replicas"] == 3
    assert KINDS["PodDisruptionBudget"]["spec"]["minAvailable"] == 2
    labels: Any = KINDS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert KINDS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert KINDS["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert KINDS["Service"]["spec"]["selector"].items() <= labels.items()
    assert KINDS["Service"]["spec"]["clusterIP"] == "None"


def test_connections_of_all_replicas_fit_into_the_database() -> None:
    command = COMPOSE["services"]["postgres"]["command"]
    (allowed,) = re.findall(r"max_connections=(\d+)", " ".join(command))
    pool = Settings.from_env(REPLICA["environment"]).pool_size
    assert 3 * 2 * pool < int(allowed)


def test_nobody_is_root_and_nothing_can_be_written_but_tmp() -> None:
    assert "USER 10001:10001" in DOCKERFILE
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["securityContext"]["runAsUser"] == 10001
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    assert REPLICA["read_only"]


def test_what_the_image_is_made_of_is_there_and_is_let_in() -> None:
    let_in = [line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")]
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert name in let_in


def test_the_health_check_of_the_image_says_whether_it_serves(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "healthcheck.py"

    def check(address: str) -> int:
        environ = {"SHEETGRPC_LISTEN": address, "GRPC_VERBOSITY": "NONE"}
        return subprocess.run([sys.executable, script], env=environ, capture_output=True, check=False).returncode

    with serve(tmp_path / "health.db") as (process, _):
        assert check(process.address) == 0
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        free = nobody.getsockname()[1]
    assert check(f"127.0.0.1:{free}") == 1
