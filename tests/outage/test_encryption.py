"""A PostgreSQL that takes TLS and a password and nothing else: what libpq's usual settings make of it."""

import datetime as dt
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.outage.clusters import Cluster, cluster

from sheetgrpc.store.base import StoreRefused
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.postgres.store import PostgresStore

PASSWORD = "geheim-7"
RULES = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Guarded:
    """A server that is reached by TLS, and the certificates that do and do not vouch for it."""

    port: int
    known: Path
    other: Path

    def url(self, password: str = PASSWORD, **settings: str) -> str:
        """Its address, with libpq's settings."""
        asked = "&".join(f"{name}={value}" for name, value in settings.items())
        secret = f":{password}" if password else ""
        return f"postgresql://postgres{secret}@127.0.0.1:{self.port}/postgres?{asked}"


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(seed: Path, tmp_path: Path) -> AsyncIterator[Guarded]:
    """The server; skipped where PostgreSQL was built without TLS."""
    known, other = certify(tmp_path / "known"), certify(tmp_path / "other")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with cluster(seed, port, listen_addresses="127.0.0.1") as server:
        for name in ("server.crt", "server.key"):
            _hand_over(known / name, server)
        (server.place.data / "pg_hba.conf").write_text(RULES)
        await server.run(f"ALTER USER postgres PASSWORD '{PASSWORD}'")
        try:
            await server.run("ALTER SYSTEM SET ssl = on")
        except asyncpg.PostgresError as refused:
            pytest.skip(f"this PostgreSQL speaks no TLS: {refused}")
        await server.run("SELECT pg_reload_conf()")
        yield Guarded(port, known / "server.crt", other / "server.crt")


def certify(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


def _hand_over(file: Path, server: Cluster) -> None:
    copy = server.place.data / file.name
    shutil.copy(file, copy)
    copy.chmod(0o600)
    if "user" in server.place.user:
        shutil.chown(copy, server.place.user["user"], server.place.user["group"])  # type: ignore[arg-type]  # numbers


async def encrypted(url: str) -> bool:
    """Whether a store that is opened with this URL talks to its database by TLS."""
    store = await open_store(url)
    assert isinstance(store, PostgresStore)
    async with store.begin() as transaction:
        row = await transaction.execute(
            lambda connection: connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        )
    await store.close()
    return bool(row)


async def refusal(url: str) -> str:
    """What is said of an address that nothing comes of; the password never."""
    with pytest.raises(StoreRefused) as refused:
        await open_store(url)
    said = str(refused.value)
    assert "127.0.0.1" in said
    assert PASSWORD not in said
    return said


async def test_a_connection_is_encrypted_and_its_server_known(guarded: Guarded) -> None:
    assert await encrypted(guarded.url(sslmode="require"))
    assert await encrypted(guarded.url(sslmode="verify-full", sslrootcert=str(guarded.known)))


async def test_a_server_that_nobody_vouches_for_is_not_talked_to(guarded: Guarded) -> None:
    said = await refusal(guarded.url(sslmode="verify-full", sslrootcert=str(guarded.other)))
    assert "cannot be trusted: self-signed certificate; see sslmode and sslrootcert" in said


async def test_what_the_server_refuses_is_told(guarded: Guarded) -> None:
    assert "no encryption" in await refusal(guarded.url(sslmode="disable"))
    assert "password authentication failed" in await refusal(guarded.url("wrong", sslmode="require"))


async def test_settings_come_from_the_environment_and_passwords_from_a_file(
    guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text(f"127.0.0.1:{guarded.port}:*:postgres:{PASSWORD}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(guarded.known))
    assert await encrypted(guarded.url(""))
