"""What the documents show was printed like that: every command is run, in the order of its page."""

from pathlib import Path

import pytest
from tests.docs.pages import ROOT, Shell, blocks, commands, read

OWN = {"docs/grpc.md": "has tests of its own", "docs/performance.md": "is measured, not run"}
PAGES = ["README.md", "deploy/README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
CONSOLES = [page for page in PAGES if page not in OWN and "```console" in read(page)]


@pytest.mark.parametrize("page", CONSOLES)
def test_what_a_page_shows_is_what_commands_print(page: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    wrong: list[str] = []
    try:
        for block in blocks(read(page)):
            if block.file:
                shell.write(block)
            elif block.language == "console":
                wrong += filter(None, map(shell.check, commands(block)))
    finally:
        shell.close()
    assert not wrong, f"{page} shows something else than\n\n" + "\n".join(wrong)
    if shell.lacking:
        pytest.skip(f"all of {page} was run but for {', '.join(shell.lacking)}, which is not installed")


def test_the_pages_that_show_commands_are_found() -> None:
    assert {"README.md", "docs/language.md", "docs/operations.md"} <= set(CONSOLES)


@pytest.mark.parametrize(
    ("shown", "printed", "true"),
    [
        (["a", "...", "z"], "a\nb\nc\nz\n", True),
        (["a ... z"], "a b c z\n", True),
        (["a", "z"], "a\nb\nz\n", False),
        (["in 0.01 s"], "in 9.99 s\n", True),
        (["id 01M80PVCYRFFQJ2F6NWCTPWWRD"], "id 01M80PVCZD3D6BNKEMRMCZDGWA\n", True),
        (["id 01M80PVCYRFFQJ2F6NWCTPWWRD"], "id none\n", False),
        ([], "more\n", False),
    ],
)
def test_only_what_varies_is_left_out_of_the_comparison(
    shown: list[str], printed: str, true: bool, tmp_path: Path
) -> None:
    (command,) = commands(blocks("```console\n$ x\n" + "".join(f"{line}\n" for line in shown) + "```\n")[0])
    assert (Shell(tmp_path)._compare(command, printed) == "") is true
