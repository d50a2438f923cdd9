"""What people said that names mean, made into keys again: for ParseSheet, and for sheets gone back to or copied.

The session holds each choice as it was made (`model.Choice`), the store the keys that the last parse came to.
"""

from collections.abc import Mapping, Sequence

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.steps import read_key
from sheetgrpc.errors import InvalidRequest
from sheetgrpc.planning.model import Analysis, Key, Reference
from sheetgrpc.session.model import Choice


async def analyse_chosen(
    context: Context, source: str, committed: Sequence[str], known: Mapping[str, Key], choices: Sequence[Choice]
) -> Analysis:
    """The analysis of a sheet with the keys known of its references, and over them those chosen whose row exists.

    `committed` are the executions whose symbols the sheet may use.
    """
    analysis = await context.analyst.analyse(source, known, committed)
    if not choices:
        return analysis
    chosen = await context.present(read_choices(context.catalog, analysis.references, choices))
    if chosen.items() <= known.items():
        return analysis
    return await context.analyst.analyse(source, {**known, **chosen}, committed)


def read_choices(
    catalog: Catalog, references: Sequence[Reference], choices: Sequence[Choice]
) -> dict[str, tuple[str, Key]]:
    """ref_id -> (entity type, key) of every reference that was chosen for; the later choice counts."""
    named = {found.ref_id: found for found in references}
    alike: dict[tuple[str, str], list[str]] = {}
    if any(choice.same_text for choice in choices):
        for found in references:
            alike.setdefault((found.entity_type, found.text), []).append(found.ref_id)
    chosen: dict[str, tuple[str, Key]] = {}
    for choice in choices:
        meant = named.get(choice.ref_id)
        key = _read_key(catalog, meant, choice) if meant is not None else None
        if meant is not None and key is not None:
            same = alike[meant.entity_type, meant.text] if choice.same_text else [meant.ref_id]
            chosen.update(dict.fromkeys(same, (meant.entity_type, key)))
    return chosen


def _read_key(catalog: Catalog, meant: Reference, choice: Choice) -> Key | None:
    """The key; None where a later catalog has keys of another form."""
    try:
        return read_key(catalog.entities[meant.entity_type], choice.entity_id, "entity_id")
    except InvalidRequest:
        return None
