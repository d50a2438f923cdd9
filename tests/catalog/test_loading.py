"""Catalogs that load, and what they come to. The bad ones are in problems.txt."""

import hashlib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgrpc.catalog.loading import CatalogError, arguments_by_name, load
from sheetgrpc.catalog.model import (
    Argument,
    Catalog,
    Entity,
    Expect,
    Key,
    KeySource,
    KeyType,
    RequiredWhen,
    Type,
    Verb,
    VerbKind,
)
from sheetgrpc.catalog.reading import MAX_NODES

DESIGN = (Path(__file__).parent / "design.yaml").read_text(encoding="utf-8")


def test_a_problem_names_the_file() -> None:
    with pytest.raises(CatalogError) as caught:
        load("verbs: {}\n", "shop/catalog.yaml")
    assert caught.value.problems == ("shop/catalog.yaml:1: the catalog has no verbs: nothing could be done with it",)
    assert str(caught.value) == caught.value.problems[0]


def test_the_printed_example_loads() -> None:
    catalog = load(DESIGN, "design")
    assert catalog.entities == {
        "cbu": Entity(
            name="cbu",
            table="cbus",
            key=Key(column="cbu_id", type=KeyType.UUID, source=KeySource.SERVER),
            display="name",
            search=("name",),
            natural_key=("name", "jurisdiction"),
        ),
        "entity": Entity(
            name="entity",
            table="entities",
            key=Key(column="entity_id"),
            display="name",
            search=("name", "lei"),
            natural_key=("name", "jurisdiction"),
        ),
    }
    assert [(verb.kind, verb.entity, verb.table, verb.binds, verb.writes) for verb in catalog.verbs.values()] == [
        (VerbKind.ENSURE, "cbu", "cbus", True, True),
        (VerbKind.LINK, None, "cbu_roles", False, True),
        (VerbKind.UPDATE, "cbu", "cbus", False, True),
        (VerbKind.DELETE, "cbu", "cbus", False, True),
        (VerbKind.UNLINK, None, "cbu_roles", False, True),
        (VerbKind.SELECT, None, "cbu_roles", False, False),
        (VerbKind.ASSERT, "cbu", "cbus", False, False),
    ]
    assert catalog.verbs["cbu.ensure"] == Verb(
        name="cbu.ensure",
        kind=VerbKind.ENSURE,
        table="cbus",
        entity="cbu",
        description="Create the client business unit, or find it by its natural key.",
        natural_key=("name", "jurisdiction"),
        arguments=(
            Argument(name="name", type=Type.STRING, column="name", required=True, max_length=200),
            Argument(
                name="jurisdiction",
                type=Type.STRING,
                column="jurisdiction",
                required=True,
                pattern="[A-Z]{2}(-[A-Z]{2})?",
            ),
            Argument(
                name="client-type",
                type=Type.ENUM,
                column="client_type",
                values=("FUND", "CORPORATE", "INDIVIDUAL", "TRUST"),
                default="FUND",
                has_default=True,
                aliases=("type",),
            ),
        ),
    )
    assert catalog.verbs["cbu.remove-role"].missing_ok is True
    assert catalog.verbs["cbu.close"].missing_ok is False
    assert catalog.verbs["cbu.expect"].expect == Expect(rows=1)


def test_the_digest_is_of_the_text_and_the_text_is_kept() -> None:
    catalog = load(DESIGN, "design")
    assert catalog.source == DESIGN
    assert catalog.digest == hashlib.sha256(DESIGN.encode()).hexdigest()
    assert catalog.version == 1


def problems_of(text: str) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load(text, "f")
    return [problem.removeprefix("f:") for problem in caught.value.problems]


def argument(description: str) -> Argument:
    text = f"""
entities:
  cbu: {{table: cbus, key: id}}
  row: {{table: rows, key: {{column: id, type: integer, from: database}}}}
verbs:
  a.b:
    kind: create
    table: t
    arguments:
      mode: {{type: enum, values: [Fast, Slow]}}
      the-x: {description}
"""
    return load(text, "f").verbs["a.b"].arguments[1]


@pytest.mark.parametrize(
    ("description", "field", "expected"),
    [
        ("{type: string}", "column", "the_x"),
        ("{type: string, column: Other Name}", "column", "Other Name"),
        ("{type: string, column: null}", "column", None),
        ("{type: string, column: ~}", "column", None),
        ("{type: string, aliases: [x, y]}", "aliases", ("x", "y")),
        ("{type: string, description: What it is.}", "description", "What it is."),
        ("{type: string, min_length: 0, max_length: 3}", "max_length", 3),
        ("{type: enum, values: [NO, on, 2024-01-31]}", "values", ("NO", "on", "2024-01-31")),
        ("{type: list, of: enum, values: [A, B]}", "values", ("A", "B")),
        ("{type: list, of: entity, entity: cbu}", "entity", "cbu"),
        ("{type: list, of: json, max_length: 3}", "of", Type.JSON),
        ("{type: decimal, min: 0}", "min", Decimal(0)),
        ("{type: decimal, max: 0.1}", "max", Decimal("0.1")),
        ("{type: decimal, default: 0.10000000000000000001}", "default", Decimal("0.10000000000000000001")),
        ("{type: decimal, default: 5}", "default", Decimal(5)),
        ("{type: integer, default: -9223372036854775808}", "default", -(2**63)),
        ("{type: string, default: no}", "default", "no"),
        ('{type: string, default: "5"}', "default", "5"),
        ("{type: boolean, default: false}", "default", False),
        ("{type: date, default: 2024-02-29}", "default", "2024-02-29"),
        ("{type: timestamp, default: 2024-02-29T23:30:00-01:00}", "default", "2024-03-01T00:30:00Z"),
        ("{type: timestamp, default: 2024-02-29T23:30:00.5}", "default", "2024-02-29T23:30:00.500000Z"),
        ("{type: enum, values: [Fund, Trust], default: FUND}", "default", "Fund"),
        (
            "{type: uuid, default: 0190C2E0-0000-7000-8000-00000000000A}",
            "default",
            "0190c2e0-0000-7000-8000-00000000000a",
        ),
        (
            "{type: entity, entity: cbu, default: 0190C2E0-0000-7000-8000-00000000000A}",
            "default",
            "0190c2e0-0000-7000-8000-00000000000a",
        ),
        ("{type: entity, entity: row, default: 7}", "default", 7),
        (
            "{type: string, required_when: {argument: mode, in: [FAST]}}",
            "required_when",
            RequiredWhen(argument="mode", values=("Fast",)),
        ),
    ],
)
def test_an_argument_says_what_its_keys_say(description: str, field: str, expected: object) -> None:
    value = getattr(argument(description), field)
    assert value == expected
    assert type(value) is type(expected)


def test_a_null_default_is_a_default() -> None:
    assert argument("{type: json, default: null}").has_default is True
    assert argument("{type: string}").has_default is False


VERBS = """
entities:
  cbu: {table: cbus, key: cbu_id, display: name, search: [lei, name], natural_key: [name, country]}
  country: {table: countries, key: {column: code, type: string, from: argument}}
  role: {table: roles, key: role_id, parent: cbu, natural_key: [cbu_id, name]}
verbs:
"""
NAME = "name: {type: string, required: true}"


def verb(name: str, description: str) -> Verb:
    return load(f"{VERBS}  {name}: {description}\n", "f").verbs[name]


@pytest.mark.parametrize(
    ("description", "field", "expected"),
    [
        ("{kind: select, entity: cbu}", "columns", ("cbu_id", "name", "lei", "country")),
        ("{kind: select, entity: cbu}", "limit", 100),
        ("{kind: select, entity: cbu, limit: 7}", "limit", 7),
        (f"{{kind: select, table: t, by: [name], arguments: {{{NAME}}}}}", "columns", ("name",)),
        ("{kind: select, table: t, columns: [b, a]}", "columns", ("b", "a")),
        ("{kind: assert, table: t, expect: {exists: false}}", "expect", Expect(exists=False)),
        ("{kind: assert, table: t, expect: {column: c, is: null}}", "expect", Expect(column="c")),
        (
            "{kind: assert, table: t, expect: {column: c, is: 0.5}}",
            "expect",
            Expect(column="c", value=Decimal("0.5")),
        ),
        ("{kind: assert, table: t, expect: {rows: 0}}", "limit", None),
        ("{kind: select, entity: cbu, deprecated: true}", "deprecated", True),
        (f"{{kind: create, entity: cbu, arguments: {{{NAME}}}}}", "natural_key", ()),
        (
            f"{{kind: create, entity: cbu, arguments: {{{NAME}, country: {{type: string}}}}}}",
            "natural_key",
            ("name", "country"),
        ),
        (f"{{kind: create, table: t, natural_key: [name], arguments: {{{NAME}}}}}", "natural_key", ("name",)),
        (f"{{kind: ensure, entity: cbu, natural_key: [name], arguments: {{{NAME}}}}}", "natural_key", ("name",)),
        (
            "{kind: ensure, entity: country, arguments: {code: {type: string, required: true}}}",
            "natural_key",
            ("code",),
        ),
        (f"{{kind: delete, table: t, by: [name], arguments: {{{NAME}}}}}", "natural_key", ()),
    ],
)
def test_a_verb_says_what_its_keys_say(description: str, field: str, expected: object) -> None:
    assert getattr(verb("a.b", description), field) == expected


def test_a_row_may_get_a_new_name() -> None:
    rename = verb(
        "a.rename",
        f"{{kind: update, table: t, by: [name], arguments: {{{NAME}, to: {{type: string, column: name}}}}}}",
    )
    assert [argument.column for argument in rename.arguments] == ["name", "name"]


def test_the_only_argument_of_the_parent_fills_a_natural_key() -> None:
    ensure = verb(
        "role.ensure",
        f"{{kind: ensure, entity: role, arguments: {{cbu-id: {{type: entity, entity: cbu}}, {NAME}}}}}",
    )
    assert ensure.natural_key == ("cbu_id", "name")


def test_one_of_two_arguments_of_the_parent_does_not_fill_a_natural_key() -> None:
    arguments = f"{{cbu-id: {{type: entity, entity: cbu}}, other-id: {{type: entity, entity: cbu}}, {NAME}}}"
    (problem,) = problems_of(f"{VERBS}  role.ensure: {{kind: ensure, entity: role, arguments: {arguments}}}\n")
    assert problem.endswith('"cbu-id": fills natural key column "cbu_id", so it must be required or have a default')


def test_a_replaced_verb_is_deprecated() -> None:
    text = (
        f"{VERBS}  a.old: {{kind: select, entity: cbu, replaced_by: a.new}}\n  a.new: {{kind: select, entity: cbu}}\n"
    )
    old = load(text, "f").verbs["a.old"]
    assert (old.deprecated, old.replaced_by) == (True, "a.new")


def test_arguments_are_found_by_every_name() -> None:
    ensure = load(DESIGN, "design").verbs["cbu.ensure"]
    found = arguments_by_name(ensure)
    assert list(found) == ["name", "jurisdiction", "client-type", "type"]
    assert found["type"] is found["client-type"] is ensure.arguments[2]


def test_an_anchor_may_be_used_again() -> None:
    text = f"{VERBS}  a.b: {{kind: create, table: t, arguments: &all {{{NAME}}}}}\n"
    text += "  a.c: {kind: create, table: t, arguments: *all}\n"
    catalog = load(text, "f")
    assert catalog.verbs["a.c"].arguments == catalog.verbs["a.b"].arguments


def test_aliases_of_aliases_do_not_grow_without_bound() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    (problem,) = problems_of("\n".join(lines))
    assert problem.endswith(f"the file stands for more than {MAX_NODES:,} values")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(0, len(DESIGN)), st.integers(0, 40))
def test_any_text_either_loads_or_is_told_what_is_wrong(inserted: str, place: int, removed: int) -> None:
    text = DESIGN[:place] + inserted + DESIGN[place + removed :]
    try:
        outcome: Catalog | tuple[str, ...] = load(text, "f")
    except CatalogError as error:
        outcome = error.problems
    assert isinstance(outcome, Catalog) or (outcome and all(problem.startswith("f:") for problem in outcome))
