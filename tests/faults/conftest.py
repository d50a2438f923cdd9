"""Databases as commands find them, what a command without a fault leaves, and a process that dies on demand."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from tests.faults.cases import CASES, Case, dump, make, opened, send
from tests.faults.crashing import Crasher


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A case, its database, and what becomes of it where nothing goes wrong."""

    name: str
    case: Case
    database: Path
    before: list[str]
    after: list[str]
    reply: bytes

    def copy(self, to: Path) -> Path:
        """The database as the command finds it, elsewhere."""
        return Path(shutil.copyfile(self.database, to))


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


@pytest.fixture(scope="session")
def made() -> dict[str, Expected]:
    """The cases so far."""
    return {}


@pytest.fixture(params=CASES)
async def expected(
    request: pytest.FixtureRequest, made: dict[str, Expected], tmp_path_factory: pytest.TempPathFactory
) -> Expected:
    """Every case in turn."""
    name = str(request.param)
    if name not in made:
        made[name] = await _expect(name, tmp_path_factory.mktemp(name))
    return made[name]


@pytest.fixture(scope="session")
def crasher() -> Iterator[Crasher]:
    crasher = Crasher()
    yield crasher
    crasher.close()


async def _expect(name: str, folder: Path) -> Expected:
    case, database, calm = CASES[name], folder / "made.db", folder / "calm.db"
    await make(database, case)
    shutil.copyfile(database, calm)
    async with opened(calm) as engine:
        reply = await send(engine, case)
    before, after = dump(database), dump(calm)
    assert before != after
    return Expected(name=name, case=case, database=database, before=before, after=after, reply=reply.body)
