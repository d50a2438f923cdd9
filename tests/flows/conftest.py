"""Servers that the tests of this folder share: one on the bundled catalog, one on foreign tables."""

from collections.abc import Iterator

import pytest
from tests.flows.serving import ORCHARD, Client, Process, orchard, serve


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Client]]:
    with serve(orchard(tmp_path_factory.mktemp("foreign")), ORCHARD) as started:
        yield started


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Client]]:
    with serve(tmp_path_factory.mktemp("bundled") / "onboarding.db") as started:
        yield started
