"""A catalog from its YAML text: everything is checked at once, every problem is told with file and line.

Pure: knows no file system and no database (`database.py` holds a catalog against one). What one argument may say is
`arguments.py`, what a kind of verb asks of the whole verb is `rules.py`.
"""

import hashlib
from collections.abc import Mapping

from sheetgrpc.catalog.entities import read_entities
from sheetgrpc.catalog.form import Form
from sheetgrpc.catalog.model import Argument, Catalog, Entity, Verb
from sheetgrpc.catalog.reading import Position, Problems, read
from sheetgrpc.catalog.verbs import read_verb

VERSION = 1
CATALOG_KEYS = ("version", "entities", "verbs")


class CatalogError(Exception):
    """A catalog that cannot be used: `problems` are all of them, "file:line: message", in source order."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(text: str, filename: str) -> Catalog:
    """The catalog that `text` describes; `filename` is for the problems alone.

    Raises:
        CatalogError: with every problem found.
    """
    problems = Problems(filename)
    root = read(text, problems)
    if root is None:
        if not problems:
            problems.add(Position(1, 1), "the catalog is empty")
        raise CatalogError(problems.lines())
    catalog = _catalog(Form(root, root.at, "", problems), text)
    if problems:
        raise CatalogError(problems.lines())
    return catalog


def arguments_by_name(verb: Verb) -> Mapping[str, Argument]:
    """The arguments of a verb by every name that a call may use: their own names and their aliases.

    Built anew by each call, which is cheaper than hashing a verb for a cache: ask once a shape, not once a statement.
    """
    return {name: argument for argument in verb.arguments for name in (argument.name, *argument.aliases)}


def _catalog(form: Form, text: str) -> Catalog:
    form.only(CATALOG_KEYS)
    _check_version(form)
    entity_forms = form.forms("entities", "entity")
    entities = read_entities(entity_forms)
    return Catalog(
        entities=entities,
        verbs=_verbs(form, entities),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        source=text,
    )


def _check_version(form: Form) -> None:
    if "version" in form and form.leaf("version") != VERSION:
        form.problem(f'"version" must be {VERSION}, the only one there is', "version")


def _verbs(form: Form, entities: Mapping[str, Entity]) -> dict[str, Verb]:
    forms = form.forms("verbs", "verb")
    if not forms:
        form.problem("the catalog has no verbs: nothing could be done with it", "verbs")
    read_ones = {name: read_verb(name, verb_form, entities, frozenset(forms)) for name, verb_form in forms.items()}
    return {name: verb for name, verb in read_ones.items() if verb is not None}
