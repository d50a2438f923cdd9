"""The allow-list: everything wrong is told at once, with file and line; nothing unknown is overlooked."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trust.making import signers

from sheetgrpc.config import StartError
from sheetgrpc.trust.allowing import FILE_KEYS, MODULE_KEYS, read_allow_list
from sheetgrpc.trust.model import TrustedModule
from sheetgrpc.trust.signing import BadKey, public_line, read_private_key, read_public_key, sign, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LINE = public_line(KEY)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_LINE = RSA.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
DIGEST = "0" * 64


def problems_of(tmp_path: Path, text: str) -> list[str]:
    """What is said of the file, without its name."""
    file = tmp_path / "allow.yaml"
    file.write_text(text)
    with pytest.raises(StartError) as refused:
        read_allow_list(str(file))
    first, *lines = str(refused.value).splitlines()
    assert first == "the allow-list is not sound:"
    return [line.removeprefix(f"  {file}:") for line in lines]


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "allow.yaml"
    module = f'{{version: "1.0", sha256: "{DIGEST}", signer: anna, signature: "abc="}}'
    file.write_text(f"version: 1\nsignatures: required\n{signers(anna=KEY)}\nmodules:\n  acme: {module}\n")
    found = read_allow_list(str(file))
    assert found.signatures_required
    assert list(found.signers) == ["anna"]
    assert found.modules["acme"].module == TrustedModule("acme", "1.0", DIGEST, "anna")


def test_no_file_and_an_empty_list_allow_nothing(tmp_path: Path) -> None:
    """C-R70: missing means the safe default."""
    file = tmp_path / "allow.yaml"
    file.write_text("version: 1\n")
    assert read_allow_list("").modules == read_allow_list(str(file)).modules == {}


CASES = re.findall(
    r"^=== (.*?)\n(.*?)^>>>\n(.*?)(?=^===|\Z)",
    (Path(__file__).parent / "problems.txt").read_text("utf-8"),
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize(("text", "told"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    """C-R70, and the trust rows of the requirements' section 3.8."""
    for word, value in (("DIGEST", DIGEST), ("KEY", LINE), ("RSA", RSA_LINE)):
        text = text.replace(word, value)
    assert sorted(problems_of(tmp_path, text)) == sorted(told.splitlines())


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    assert len(problems_of(tmp_path, "version: 3\nsigner: x\nmodules:\n  a: {}\n  b: {hash: x}")) == 5


@settings(max_examples=200, deadline=None)
@given(key=st.text(min_size=1, max_size=12), inside=st.booleans())
def test_no_unknown_key_is_overlooked(tmp_path_factory: pytest.TempPathFactory, key: str, inside: bool) -> None:
    known = MODULE_KEYS if inside else FILE_KEYS
    if key in known:
        return
    file = tmp_path_factory.mktemp("unknown") / "allow.yaml"
    escaped = "".join(f"\\U{ord(character):08x}" for character in key)
    text = (
        f'version: 1\nmodules: {{a: {{sha256: "{DIGEST}", "{escaped}": 1}}}}'
        if inside
        else f'version: 1\n"{escaped}": 1'
    )
    file.write_text(text)
    with pytest.raises(StartError):
        read_allow_list(str(file))


@pytest.mark.parametrize("text", ["", "- a", "version: [", "\tx", "version: 1\n---\nversion: 1"])
def test_what_is_no_allow_list_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "allow.yaml"
    file.write_text(text)
    with pytest.raises(StartError, match="the allow-list is not sound"):
        read_allow_list(str(file))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"#" * (1024 * 1024 + 1))
    for name in ("none", "latin", "large", "."):
        with pytest.raises(StartError, match="the allow-list"):
            read_allow_list(str(tmp_path / name))


def test_a_private_key_is_read_in_either_format(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for encoding, form in ((Encoding.PEM, PrivateFormat.PKCS8), (Encoding.PEM, PrivateFormat.OpenSSH)):
        file.write_bytes(KEY.private_bytes(encoding, form, NoEncryption()))
        assert public_line(read_private_key(file)) == LINE


def test_what_is_no_private_key_is_refused_without_telling_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    other = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for raw in (b"secret", LINE.encode(), other):
        file.write_bytes(raw)
        with pytest.raises(BadKey, match="holds no Ed25519 private key") as refused:
            read_private_key(file)
        assert "secret" not in str(refused.value)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=90))
def test_nothing_but_the_signature_itself_is_one(module: str, version: str, signature: str) -> None:
    decision = TrustedModule(module, version, DIGEST)
    key = read_public_key(LINE)
    try:
        good = sign(KEY, decision)
    except UnicodeEncodeError:
        return
    assert verify(key, decision, good)
    assert verify(key, decision, signature) is (signature == good)
