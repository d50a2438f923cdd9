"""Random sheets for the harbour: no errors but cycles; few names and few verbs each, so that rows meet."""

from hypothesis import strategies as st
from tests.planning.harbour import AURORA, BOREAS, CATALOG

from sheetgrpc.catalog.model import Argument as Declared
from sheetgrpc.catalog.model import Type
from sheetgrpc.dsl.ast import Argument, Call, List, Map, Reference, Symbol, Value, Word

# Few texts, so that rows meet. What a sheet gives by `:argument` of a type that no entity has.
TEXTS: dict[str, list[Value]] = {
    "name": ["Aurora", "Flora", Word("Flora")],
    "flag": ["LU", "NL"],
    "new-flag": ["LU", "NL"],
    "callsign": ["AURO", "X"],
    "code": ["ANR", "HAM"],
    "label": ["Quay 7", "Quay 8"],
    "day": ["2024-01-01", "2024-01-02"],
}
LITERALS: dict[str, list[Value]] = {
    "ship": [AURORA, BOREAS, "Aurora", Reference("Boreas"), Symbol("old-ship")],
    "port": ["ANR", "Port of Antwerp", Word("RTM"), Symbol("old-port")],
    "berth": [7, "-8", Reference("Quay 7"), Symbol("old-berth")],
}
NESTING = {Type.ENTITY, Type.JSON, Type.LIST, Type.UUID}  # where symbols may stand; given more often


@st.composite
def sheets(draw: st.DrawFn, *, forward: bool) -> list[Call]:
    """Statements without errors; `forward` lets them use symbols bound below, which makes cycles."""
    vocabulary = draw(st.lists(st.sampled_from(sorted(CATALOG.verbs)), min_size=1, max_size=6, unique=True))
    verbs = [CATALOG.verbs[name] for name in draw(st.lists(st.sampled_from(vocabulary), min_size=1, max_size=10))]
    bound = [verb.binds and draw(st.integers(0, 3)) > 0 for verb in verbs]
    calls = []
    for index, verb in enumerate(verbs):
        usable = {
            kind: [
                Symbol(f"s{at}")
                for at in range(len(verbs) if forward else index)
                if at != index and bound[at] and verbs[at].entity == kind
            ]
            for kind in LITERALS
        }
        arguments = [
            Argument(argument.name, draw(values(argument, usable)))
            for argument in verb.arguments
            if needed(argument) or draw(st.integers(0, 1 if argument.type in NESTING else 5)) == 0
        ]
        calls.append(Call(verb.name, tuple(arguments), f"s{index}" if bound[index] else None))
    return calls


def needed(argument: Declared) -> bool:
    return argument.required or argument.name in ("port", "berth")


def values(argument: Declared, usable: dict[str, list[Symbol]]) -> st.SearchStrategy[Value]:
    symbols = [symbol for kind in usable.values() for symbol in kind]
    match argument.type:
        case Type.ENTITY:
            return entities(argument.entity or "", usable)
        case Type.LIST if argument.of is Type.ENTITY:
            return st.lists(entities(argument.entity or "", usable), max_size=3).map(lambda items: List(tuple(items)))
        case Type.LIST:
            wanted: dict[Type | None, list[Value]] = {Type.STRING: ["t", *symbols], Type.DATE: ["2024-01-01"]}
            return st.sampled_from(wanted.get(argument.of, [1])).map(lambda item: List((item,)))
        case Type.JSON:
            inner: list[Value] = [1, "x", Symbol("old-ship"), *symbols]
            return st.sampled_from(inner).map(lambda item: Map((("deep", List((Map((("x", item),)),))),)))
        case Type.STRING:
            texts = TEXTS.get(argument.name, ["x", *symbols])
            empty = [None] if argument.name == "callsign" and not argument.required else []
            return st.sampled_from([*texts, *empty])
        case Type.DATE:
            return st.sampled_from(TEXTS["day"])
        case Type.UUID:
            return st.sampled_from([AURORA, *usable["ship"]])
        case Type.INTEGER:
            return st.sampled_from([5, *usable["berth"]])
    scalars: dict[Type, Value] = {
        Type.ENUM: "Tug",
        Type.DECIMAL: 4,
        Type.TIMESTAMP: "2024-01-01T00:00:00Z",
        Type.BOOLEAN: True,
    }
    return st.just(scalars[argument.type])


def entities(kind: str, usable: dict[str, list[Symbol]]) -> st.SearchStrategy[Value]:
    inner = {
        "ship": Call("ship.ensure", (Argument("name", "Flora"),)),
        "port": Call("port.ensure", (Argument("code", "HAM"),)),
        "berth": Call(
            "berth.ensure",
            (Argument("port", Call("port.ensure", (Argument("code", "HAM"),))), Argument("label", "Quay 8")),
        ),
    }
    return st.sampled_from([*LITERALS[kind], *usable[kind] * 3, inner[kind]])
