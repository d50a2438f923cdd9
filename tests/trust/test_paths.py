"""The one safe join: nothing that is given as a name leads out of its folder, on this system or as another reads it."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sheetgrpc.paths import UnsafePath, read_below, safe_join

SECRET = b"nobody may read this"
PIECES = st.sampled_from(
    ["..", ".", "", "ok.py", "pack", "in", "out", "loop", "up", "swap", "~", "...", "C:", "C:\\x", "..\\x", "\\\\host",
     "%2e%2e", "%2E%2E", "\0", "nul", "CON.py", "a ", "a.", "\u2024\u2024",
     "\uff0e\uff0e", "\u2025", "e\u0301", "\u202e"]
)  # fmt: skip
NAMES = st.one_of(
    st.lists(PIECES, max_size=6).map("/".join),
    st.lists(PIECES, max_size=4).map("\\".join),
    st.text(max_size=40),
    st.lists(st.text(alphabet="./\\~%:\0ab", max_size=8), max_size=4).map("/".join),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files, a package, and links of every kind; a secret beside it."""
    beside = tmp_path_factory.mktemp("paths")
    (beside / "secret").write_bytes(SECRET)
    folder = beside / "folder"
    (folder / "pack").mkdir(parents=True)
    (folder / "ok.py").write_bytes(b"fine")
    (folder / "pack" / "one.py").write_bytes(b"fine")
    (folder / "in").symlink_to("pack")
    (folder / "out").symlink_to(beside)
    (folder / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    (folder / "secret.py").symlink_to("../secret")
    os.mkfifo(folder / "pipe")
    return folder


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES)
@example("..")
@example("pack/../../secret")
@example("out/secret")
@example("up/secret")
@example("secret.py")
@example("/etc/passwd")
@example("..\\secret")
@example("%2e%2e/secret")
def test_no_name_leads_out_of_its_folder(folder: Path, name: str) -> None:
    """C-I9: whatever is given, what is found lies inside, and every reading of the name by another system does too."""
    try:
        found = safe_join(folder, name)
    except (UnsafePath, OSError):
        return
    assert found.is_relative_to(folder.resolve())
    assert found != folder.resolve()
    for reading in (name, name.replace("\\", "/"), unicodedata.normalize("NFKC", name)):
        assert ".." not in reading.split("/")
        assert not reading.startswith("/")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES)
@example("secret.py")
@example("pipe")
def test_no_name_reads_the_secret(folder: Path, name: str) -> None:
    try:
        assert read_below(folder, name, 1000) != SECRET
    except (UnsafePath, OSError):
        return


@pytest.mark.parametrize("name", ["ok.py", "./ok.py", "pack/one.py", "pack/./one.py", "in/one.py"])
def test_what_lies_inside_is_found(folder: Path, name: str) -> None:
    """C-R68: also through a link that stays inside."""
    assert read_below(folder, name, 4) == b"fine"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty piece"),
        (".", "names nothing"),
        ("a//b", "empty piece"),
        ("ok.py/", "empty piece"),
        ("/abs", "absolute"),
        ("a/../ok.py", '".."'),
        ("C:\\x", "a character"),
        ("..\\x", "a character"),
        ("C:ok.py", "a character"),
        ("%2e%2e/x", "percent"),
        ("ok.py\0", "a character"),
        ("ok.py.", "a dot"),
        (" ok.py", "a space"),
        ("aux.py", "a device"),
        ("a\u202eb", "a character"),
        ("x" * 1025, "1024 characters"),
        ("out/secret", "out of its folder"),
        ("up", "out of its folder"),
        ("secret.py", "out of its folder"),
    ],
)
def test_a_refusal_says_why_and_not_where_to(folder: Path, name: str, why: str) -> None:
    """C-R68, C-R69, and the rows of the requirements' section 3.8."""
    with pytest.raises(UnsafePath, match=why) as refused:
        safe_join(folder, name)
    assert str(folder.parent) not in str(refused.value)


def test_nothing_there_is_an_error(folder: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        safe_join(folder, "nowhere.py")


@pytest.mark.parametrize("name", ["pack", "pipe"])
def test_only_plain_files_are_read(folder: Path, name: str) -> None:
    with pytest.raises((UnsafePath, IsADirectoryError)):
        read_below(folder, name, 1000)


def test_a_file_beyond_its_size_is_refused(folder: Path) -> None:
    with pytest.raises(UnsafePath, match="larger than 3 bytes"):
        read_below(folder, "ok.py", 3)
