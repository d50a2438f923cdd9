"""What tests of several directories share: a PostgreSQL for the session, and a database of it for a test."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.postgres import NoPostgres, Server, migrate, start

# gRPC has a part in every fork, to carry on in the child, and a child that begins another program may crash of it.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
# A shell makes what it starts in the background deaf to ^C, and so would be the programs that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The one server of the session. Without any: a loud skip where somebody develops, a failure where CI is set."""
    try:
        server = start()
    except NoPostgres as missing:
        if os.environ.get("CI"):
            pytest.fail(f"CI tests PostgreSQL too, and {missing}", pytrace=False)
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {missing}")
    yield server
    asyncio.run(server.close())


@pytest.fixture
async def postgres_url(postgres_server: Server) -> AsyncIterator[str]:
    """The URL of a database with our tables and no others."""
    url = await postgres_server.fresh(build=migrate)
    yield url
    await postgres_server.drop(url)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says it once more at the end, where it is read."""
    skipped = [
        report
        for report in terminalreporter.getreports("skipped")
        if "NOT TESTED ON POSTGRESQL" in str(report.longrepr)
    ]
    if skipped:
        terminalreporter.section("PostgreSQL", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests did not run: {skipped[0].longrepr[2]}")
