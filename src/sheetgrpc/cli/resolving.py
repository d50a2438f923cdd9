"""Names of a sheet that may mean several entities, put to whoever applies it."""

from collections.abc import Sequence

from sheetgrpc.cli.asking import ask
from sheetgrpc.cli.drawing import Source, draw
from sheetgrpc.cli.failure import Failure
from sheetgrpc.cli.terminal import Terminal, plural
from sheetgrpc.client import Client, NotFound, Session
from sheetgrpc.v1.reference_pb2 import Candidate, Reference
from sheetgrpc.v1.sheet_pb2 import Sheet

MOST_NAMES = 20
_QUIT = frozenset({"q", "quit"})


async def resolve(terminal: Terminal, client: Client, session: Session, sheet: Sheet, source: Source) -> Sheet:
    """Ask for every open name, once a name, until none is open.

    Raises:
        Failure: whoever was asked wants no more.
    """
    while sheet.unresolved_count:
        reference = sheet.unresolved_references[0]
        draw_reference(terminal, source, reference)
        entity = await _choose(terminal, client, reference)
        try:
            sheet = await session.resolve_reference(reference.ref_id, entity, apply_to_same_text=True)
        except NotFound as error:  # the row is gone since it was found
            terminal.line(("error: ", "bold red"), error.message)
    return sheet


async def resolve_or_list(
    terminal: Terminal, client: Client, session: Session, sheet: Sheet, source: Source, *, asking: bool
) -> Sheet:
    """Ask for every open name; where nobody can be asked, show them and give up.

    Raises:
        Failure: a name is open still.
    """
    if asking:
        return await resolve(terminal, client, session, sheet, source)
    names = {(reference.entity_type, reference.text): reference for reference in sheet.unresolved_references}
    for reference in list(names.values())[:MOST_NAMES]:
        draw_reference(terminal, source, reference)
        terminal.line()
    raise Failure(
        f"{plural(sheet.unresolved_count, 'name')} to be resolved, and nobody to ask: "
        "run this on a terminal, or write keys in the sheet"
    )


def draw_reference(terminal: Terminal, source: Source, reference: Reference) -> None:
    """Draw an open name and what it may mean."""
    message = f'which {reference.entity_type} is "{reference.text}"?'
    notes = [("hint", reference.hint)] if reference.hint else []
    heading = ("open", reference.argument, message)
    draw(terminal, source, reference.span, heading=heading, notes=notes, colour="bold yellow")
    show_candidates(terminal, reference.candidates)


def show_candidates(terminal: Terminal, candidates: Sequence[Candidate]) -> None:
    """Number what a name may mean, best first."""
    if not candidates:
        terminal.line("  nothing in the tables is like it")
        return
    rows = [["", "name", "score", "key"]]
    rows += [[str(at), one.display, f"{one.score:.2f}", one.entity_id] for at, one in enumerate(candidates, start=1)]
    terminal.columns(rows, numbers=frozenset({0, 2}), indent=2)


async def _choose(terminal: Terminal, client: Client, reference: Reference) -> str:
    candidates: Sequence[Candidate] = reference.candidates
    while True:
        number = f"1-{len(candidates)} to choose, " if candidates else ""
        answer = await ask(f"{number}other words to search again, q to quit: ")
        if answer.lower() in _QUIT:
            raise Failure("quit, nothing was changed")
        if answer.isdecimal() and 1 <= int(answer) <= len(candidates):
            return candidates[int(answer) - 1].entity_id
        if answer:
            candidates = await client.catalog.search(reference.entity_type, answer)
            show_candidates(terminal, candidates)
