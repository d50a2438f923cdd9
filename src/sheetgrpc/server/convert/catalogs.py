"""Writes the catalog as messages. Values are shown as text of the language, as they would stand in a sheet."""

from sheetgrpc.catalog.model import Argument, Catalog, Entity, Scalar, Verb
from sheetgrpc.dsl import ast
from sheetgrpc.dsl.printer import print_call
from sheetgrpc.v1 import catalog_pb2


def write_catalog(catalog: Catalog) -> catalog_pb2.Catalog:
    """The catalog without its verbs."""
    return catalog_pb2.Catalog(
        digest=catalog.digest,
        version=catalog.version,
        source_yaml=catalog.source,
        entity_types=[_write_entity(entity) for _, entity in sorted(catalog.entities.items())],
        verb_count=len(catalog.verbs),
    )


def write_verb(verb: Verb) -> catalog_pb2.Verb:
    """A verb with its arguments."""
    return catalog_pb2.Verb(
        name=verb.name,
        description=verb.description,
        kind=verb.kind,
        entity_type=verb.entity or "",
        table=verb.table,
        arguments=map(_write_argument, verb.arguments),
        binds=verb.binds,
        deprecated=verb.deprecated,
        replaced_by=verb.replaced_by or "",
        handler=verb.handler,
        reads=[reach.table for reach in verb.reach],
        writes=[reach.table for reach in verb.reach if reach.writes],
    )


def _write_entity(entity: Entity) -> catalog_pb2.EntityType:
    return catalog_pb2.EntityType(
        name=entity.name,
        table=entity.table,
        key_column=entity.key.column,
        key_type=entity.key.type,
        display=entity.display or "",
        search=entity.search,
        natural_key=entity.natural_key,
        parent=entity.parent or "",
    )


def _write_argument(argument: Argument) -> catalog_pb2.VerbArgument:
    when = argument.required_when
    return catalog_pb2.VerbArgument(
        name=argument.name,
        type=argument.type,
        required=argument.required,
        required_when=None
        if when is None
        else catalog_pb2.RequiredWhen(argument=when.argument, values=map(_print_value, when.values)),
        default_value=_print_value(argument.default) if argument.has_default else None,
        aliases=argument.aliases,
        values=argument.values,
        entity_type=argument.entity or "",
        item_type=argument.of or "",
        min=None if argument.min is None else _print_value(argument.min),
        max=None if argument.max is None else _print_value(argument.max),
        min_length=argument.min_length,
        max_length=argument.max_length,
        pattern=argument.pattern or "",
        description=argument.description,
    )


def _print_value(value: Scalar) -> str:
    """A value as it stands in a statement: what the printer puts between the argument's name and the end."""
    return print_call(ast.Call("v", (ast.Argument("v", value),))).removeprefix("(v :v ").removesuffix(")")
