"""Documents hang together: links lead somewhere, every page is reached from the README, named files are there."""

import re
import subprocess
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, prose, read

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "deploy/*.md", "clients/**/*.md", "src/**/*.md")
    for path in ROOT.glob(pattern)
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FILE = re.compile(r"`((?:src|tests|docs|protos|deploy|clients)/[\w./-]+\.\w+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page: str) -> list[str]:
    return [link for link in _LINK.findall(prose(read(page))) if "://" not in link]


def anchors(page: str) -> set[str]:
    """As GitHub makes them."""
    titles = _HEADING.findall(prose(read(page)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.resolve().relative_to(ROOT).as_posix())):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith(("docs/", "deploy/", "CHANGELOG"))])
def test_every_page_is_linked_from_the_readme(page: str) -> None:
    assert page in links("README.md")


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_files_it_names_are_there(page: str) -> None:
    named = _FILE.findall(prose(read(page)))
    assert named
    assert [name for name in named if not list(ROOT.glob(name.replace("NNNN_what", "*")))] == []


def test_every_package_is_in_the_picture_of_the_layers() -> None:
    parts = {path.parent.name for path in (ROOT / "src" / "sheetgrpc").glob("*/__init__.py")} - {"v1", "examples"}
    page = read("docs/architecture.md")
    assert {part for part in parts if not re.search(rf'{part}\["{part}<br>', page)} == set()


def test_the_make_targets_it_names_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"^(?:\$ )?make ([a-z]+)", read(page), re.MULTILINE)}
    named |= {target for page in PAGES for target in re.findall(r"`make ([a-z]+)`", read(page))}
    assert {"demo", "test"} <= named <= targets


def test_no_page_is_left_out_of_the_repository() -> None:
    """A page that is ignored by git would be linked here and missing in a clone."""
    try:
        ended = subprocess.run(["git", "check-ignore", *PAGES], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    assert ended.stdout == ""


def test_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/architecture.md", "clients/python/README.md"} <= set(PAGES)
    assert all((ROOT / page).is_file() for page in PAGES)
    assert Path(__file__).is_relative_to(ROOT)
