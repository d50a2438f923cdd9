"""Templates: what stands for the entity, what becomes an entity's own, what is left as it is; sizes; faults."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.harbour import CATALOG

from sheetgrpc.dsl.ast import Argument, Call, List, Map, Reference, Symbol, Value, Word
from sheetgrpc.dsl.printer import print_call
from sheetgrpc.dsl.tree import parse_tree
from sheetgrpc.planning.expand import TemplateFault, check_template, expand, print_key, size
from sheetgrpc.planning.model import Key

CASES: dict[str, tuple[str, list[Key], list[str]]] = {
    "the placeholder becomes the key, entity by entity": (
        "(a.b :c @ship :d 1)",
        ["k1", "k2"],
        ['(a.b :c "k1" :d 1)', '(a.b :c "k2" :d 1)'],
    ),
    "integer keys stay integers": ("(a.b :c @ship)", [7, -8], ["(a.b :c 7)", "(a.b :c -8)"]),
    "keys are printed, never pasted": (
        "(a.b :c @ship)",
        ['"; (x.y)\n\\', "@ship", ""],
        [r'(a.b :c "\"; (x.y)\n\\")', '(a.b :c "@ship")', '(a.b :c "")'],
    ),
    "other symbols that begin alike are other symbols": (
        "(a.b :c @ship2 :d @ship-id :e @ships :f @Ship :g @_ship :h @ship)",
        ["k"],
        ['(a.b :c @ship2 :d @ship-id :e @ships :f @Ship :g @_ship :h "k")'],
    ),
    "text is text": (
        '; for @ship, by me@ship.eu\n(a.b :c "me@ship.eu" :d "@ship" :e <@ship> :f ship :g @ship) ; @ship',
        ["k"],
        ['(a.b :c "me@ship.eu" :d "@ship" :e <@ship> :f ship :g "k")'],
    ),
    "lists, maps, nested calls": (
        "(a.b :c [@ship [@ship]] :d {:ship @ship :x {:y @ship}} :e (f.g :h @ship :i [(j.k :l @ship)]))",
        [3],
        ["(a.b :c [3, [3]] :d {:ship 3, :x {:y 3}} :e (f.g :h 3 :i [(j.k :l 3)]))"],
    ),
    "template order inside an entity, scope order between them": (
        "(a.b :c @ship) (d.e :f 1)",
        ["z", "a"],
        ['(a.b :c "z")', "(d.e :f 1)", '(a.b :c "a")', "(d.e :f 1)"],
    ),
    "what the template binds is each entity's own, also where it is used above": (
        "(x.y :z [@p {:q @p}]) (a.b :c @ship :as @p) (d.e :f @p :g @shared)",
        [5, 6],
        [
            "(x.y :z [@p-1, {:q @p-1}])",
            "(a.b :c 5 :as @p-1)",
            "(d.e :f @p-1 :g @shared)",
            "(x.y :z [@p-2, {:q @p-2}])",
            "(a.b :c 6 :as @p-2)",
            "(d.e :f @p-2 :g @shared)",
        ],
    ),
    "bound inside a nested call": (
        "(a.b :c (d.e :f @ship :as @n) :g @n)",
        [5],
        ["(a.b :c (d.e :f 5 :as @n-1) :g @n-1)"],
    ),
    "a name that is taken makes the suffix grow": (
        "(a.b :c @ship :d @p-1 :as @p)",
        [5, 6],
        ["(a.b :c 5 :d @p-1 :as @p-_1)", "(a.b :c 6 :d @p-1 :as @p-_2)"],
    ),
    "and grow again": (
        "(a.b :c @ship :d [@p-1 @p-_2] :as @p)",
        [5, 6],
        ["(a.b :c 5 :d [@p-1, @p-_2] :as @p-__1)", "(a.b :c 6 :d [@p-1, @p-_2] :as @p-__2)"],
    ),
    "taken only by an entity that is there": (
        "(a.b :c @ship :d [@p-2 @p-0 @p-01 @p- @p-1x @q-1] :as @p)",
        [5],
        ["(a.b :c 5 :d [@p-2, @p-0, @p-01, @p-, @p-1x, @q-1] :as @p-1)"],
    ),
    "a number longer than Python reads is no entity's": (
        f"(a.b :c @ship :d @p-{'9' * 5000} :as @p)",
        [5],
        [f"(a.b :c 5 :d @p-{'9' * 5000} :as @p-1)"],
    ),
    "two that differ by a number stay two": (
        "(a.b :c @ship :as @p) (a.b :c @p :as @p-1) (a.b :c @p-1)",
        [5],
        ["(a.b :c 5 :as @p-1)", "(a.b :c @p-1 :as @p-1-1)", "(a.b :c @p-1-1)"],
    ),
    "no entity, no statement": ("(a.b :c @ship)", [], []),
}

BINDS_ITS_OWN = "the template binds @ship, which stands for the entity; bind another name"
FAULTS = {
    "(ship.find :name @ship :as @ship)": BINDS_ITS_OWN,
    "(a.b :c (d.e :f 1 :as @ship) :g @ship)": BINDS_ITS_OWN,
    "(a.b :c @ship :as @p) (d.e :f @p :as @p)": "the template binds @p twice; choose another name",
    '(a.b :c @ship2 :d "@ship") ; @ship': "the template does not use @ship; every sheet line would be the same",
    "(a.b :c @ship)\n  (d.e :f )": 'line 2, column 8: ":f" has no value',
    "": "the template has no statement; it looks like (verb :argument @entity)",
    "; @ship": "the template has no statement; it looks like (verb :argument @entity)",
    "(a.b :c @ship :as @__p)": 'line 1, column 19: the symbol "@__p" is reserved',
}


@pytest.mark.parametrize(("template", "keys", "lines"), CASES.values(), ids=CASES)
def test_expansion(template: str, keys: list[Key], lines: list[str]) -> None:
    made = expand(template, "ship", keys)
    assert made.source == "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(("template", "message"), FAULTS.items())
def test_fault(template: str, message: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        check_template(template, "ship", CATALOG)
    assert str(caught.value) == message


def test_an_entity_type_that_the_catalog_lacks_is_a_fault() -> None:
    with pytest.raises(TemplateFault, match="the catalog has no entity type lighthouse"):
        check_template("(a.b :c @lighthouse)", "lighthouse", CATALOG)


def test_a_template_makes_so_many_statements_an_entity_nested_calls_included() -> None:
    template = "(a.b :c @ship) (d.e :f (g.h :i (j.k :l 1)) :m [(n.o :p 2)])"
    assert check_template(template, "ship", CATALOG) == 5
    made = expand(template, "ship", ["x", "y"])
    assert (made.template_statements, made.statement_count) == (5, 10)


def test_an_entity_is_told_by_the_number_of_a_statement() -> None:
    made = expand('(a.b :c @ship :d "1") (a.b :c (a.b :c @ship))', "ship", [10, 11, 12])
    keys = [lifted_key(call) for call in parse_tree(made.source).calls for _ in range(len(inner_calls(call)))]
    assert [10 + index // made.template_statements for index in range(made.statement_count)] == keys


def lifted_key(call: Call) -> Value:
    return inner_calls(call)[-1].arguments[0].value


def inner_calls(call: Call) -> list[Call]:
    first = call.arguments[0].value
    return [call, *inner_calls(first)] if isinstance(first, Call) else [call]


@pytest.mark.parametrize(("key", "text"), [("a", '"a"'), (5, "5"), (-5, "-5"), ('"', r'"\""'), ("true", '"true"')])
def test_a_key_is_printed_as_a_value(key: Key, text: str) -> None:
    assert print_key(key) == text


def test_a_list_of_100_000_placeholders_takes_linear_time() -> None:
    template = f"(a.b :c [{'@ship ' * 100_000}])"
    assert expand(template, "ship", [5]).source == f"(a.b :c [{', '.join(['5'] * 100_000)}])\n"


def test_many_bound_and_taken_symbols_take_linear_time() -> None:
    lines = [f"(a.b :c @ship :d @p{n}-x :as @p{n})" for n in range(20_000)]
    made = expand("\n".join(lines), "ship", [5])
    assert made.source.endswith("(a.b :c 5 :d @p19999-x :as @p19999-1)\n")


# The same, by substitution on the tree: for every template and scope.

names = st.sampled_from(["ship", "ship2", "ship-id", "p", "p-1", "p-2", "p-_1", "q", "q-1", "s"])
symbols = names.map(Symbol)
scalars: st.SearchStrategy[Value] = st.one_of(
    symbols, symbols, st.sampled_from(["@ship", 'a"@p', 5, None, True, Reference("@ship"), Word("ship"), "\0", "🚢"])
)
keys_of = st.one_of(
    st.text(max_size=5), st.integers(-(2**63), 2**63 - 1), st.sampled_from(['"', "\\\n", "é", "\u2028"])
)


def calls_of(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Call]:
    arguments = st.dictionaries(st.sampled_from(["c", "d", "ship"]), values, max_size=3)
    return arguments.map(lambda given: Call("a.b", tuple(Argument(name, value) for name, value in given.items())))


def nested(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists = st.lists(values, max_size=3).map(lambda items: List(tuple(items)))
    maps = st.dictionaries(st.sampled_from(["x", "ship"]), values, max_size=2).map(lambda m: Map(tuple(m.items())))
    return st.one_of(lists, maps, calls_of(values))


@st.composite
def templates(draw: st.DrawFn) -> list[Call]:
    calls = draw(st.lists(calls_of(st.recursive(scalars, nested, max_leaves=6)), min_size=1, max_size=4))
    bound = draw(st.lists(names.filter(lambda name: name != "ship"), unique=True, max_size=len(calls)))
    return [bind(call, name) for call, name in zip(calls, [*bound, *[None] * len(calls)], strict=False)]


def bind(call: Call, name: str | None) -> Call:
    return Call(call.verb, call.arguments, name)


@settings(max_examples=200, deadline=None)
@given(templates(), st.lists(keys_of, max_size=12), st.sampled_from(["", '; @ship "\n', "\n\n"]))
def test_expansion_is_substitution_on_the_tree(template: list[Call], keys: list[Key], between: str) -> None:
    source = between.join(["", *(print_call(call) + "\n" for call in template)])
    made = expand(source, "ship", keys)
    tree = parse_tree(made.source)
    assert not tree.diagnostics
    suffix, bound = free_suffix(template, len(keys)), {call.binding for call in template}
    assert list(tree.calls) == [
        substitute(call, key, f"{suffix}{number}", bound)
        for number, key in enumerate(keys, start=1)
        for call in template
    ]
    assert made.source.count("\n") == len(keys) * len(template)
    statements, most = size(source, "ship", keys)
    assert statements == made.statement_count
    actual = len(made.source.encode())
    plain = all(isinstance(key, int) or (key.isalnum() and key.isascii()) for key in keys)
    assert actual == most if plain else actual <= most


def substitute(call: Call, key: Key, end: str, bound: set[str | None]) -> Call:
    def value(given: Value) -> Value:
        match given:
            case Symbol("ship"):
                return key
            case Symbol(name) if name in bound:
                return Symbol(name + end)
            case List(items):
                return List(tuple(map(value, items)))
            case Map(items):
                return Map(tuple((name, value(item)) for name, item in items))
            case Call():
                return substitute(given, key, end, bound)
            case _:
                return given

    arguments = tuple(Argument(argument.name, value(argument.value)) for argument in call.arguments)
    return Call(call.verb, arguments, call.binding + end if call.binding is not None else None)


def free_suffix(template: list[Call], count: int) -> str:
    """The shortest of "-", "-_", "-__", ... that gives no new symbol a name the template uses for another."""
    bound = {call.binding for call in template if call.binding is not None}
    taken = {symbol for call in template for argument in call.arguments for symbol in used(argument.value)} - bound
    suffix = "-"
    while taken & {f"{name}{suffix}{number}" for name in bound for number in range(1, count + 1)}:
        suffix += "_"
    return suffix


def used(value: Value) -> set[str]:
    match value:
        case Symbol(name):
            return {name}
        case List(items):
            return {name for item in items for name in used(item)}
        case Map(items):
            return {name for _, item in items for name in used(item)}
        case Call():
            return {name for argument in value.arguments for name in used(argument.value)}
        case _:
            return set()
