"""`sheetgrpc trust`: the line that serve takes, signed or not, and why there is none."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.cli.conftest import run, serve

CATALOG = 'verbs: {letter.post: {kind: call, handler: "letters:post"}}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "letters.py").write_text("print('imported')\ndef post(call):\n    pass\n")
    (tmp_path / "letters.yaml").write_text(CATALOG)
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (tmp_path / "key").write_bytes(key)
    return tmp_path


def start(folder: Path) -> tuple[str, str]:
    """What a server prints first, and its log."""
    files = ("--catalog", folder / "letters.yaml", "--allow", folder / "allow.yaml", "--handlers", folder)
    process = serve("--listen", "127.0.0.1:0", "--no-persist", *files)
    assert process.stdout is not None
    first = process.stdout.readline() + process.stdout.readline()
    process.terminate()
    _, log = process.communicate(timeout=60)
    return first, log


def test_its_line_is_what_serve_takes(folder: Path) -> None:
    """And the module is not imported for it."""
    told = run("trust", "letters", SHEETGRPC_HANDLERS=str(folder))
    assert (told.code, told.raw.count("\n")) == (0, 1)
    assert "letters.py" in told.err
    (folder / "allow.yaml").write_text(f"version: 1\nmodules:\n  {told.raw}")
    first, log = start(folder)
    assert first.startswith("imported\nlistening on ")
    assert "handlers.unsigned" in log


def test_a_signed_line_is_taken_with_its_signer(folder: Path) -> None:
    told = run("trust", "letters", "--handlers", folder, "--sign", folder / "key", "--signer", "anna")
    signers = told.err.splitlines()[0].removeprefix("under signers belongs: ")
    head = f"version: 1\nsignatures: required\nsigners:\n  {signers}\n"
    (folder / "allow.yaml").write_text(f"{head}modules:\n  {told.raw}")
    _, log = start(folder)
    assert '"handlers.trusted"' in log
    assert '"signer":"anna"' in log


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("none",), 1, 'there is no module "none"'),
        (("a.b",), 1, '"a.b" is no name of a module'),
        (("os",), 1, "part of the server or of Python"),
        (("letters", "--handlers", "nowhere"), 1, 'there is no folder "nowhere"'),
        (("letters", "--sign", "key"), 2, "--sign and --signer belong together"),
        (("letters", "--sign", "letters.py", "--signer", "anna"), 2, "holds no Ed25519 private key"),
        (("letters", "--sign", "no key", "--signer", "anna"), 2, "No such file"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(folder)
    ended = run("trust", *arguments, SHEETGRPC_HANDLERS=str(folder))
    assert (ended.code, ended.raw, ended.err.count("\n")) == (code, "", 1)
    assert said in ended.err
