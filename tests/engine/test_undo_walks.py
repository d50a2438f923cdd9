"""Random walks of a session through undo and redo, beside what an editor keeps: the pages as they looked, in two lists.

Nothing else changes the tables meanwhile, so what is restored must look as it did, references and findings included.
"""

import random
from pathlib import Path
from typing import Any

import pytest
from tests.engine.driving import Driver, drive

from sheetgrpc.engine import intents
from sheetgrpc.engine.intents import Intent
from sheetgrpc.errors import SheetError
from sheetgrpc.session.model import State

STEPS = 60
SHEETS = (
    "(voyage.ensure :ship <Sea> :number 1) (voyage.ensure :ship <Se> :number 2) (ship.load :ship <Sea> :tonnage 7)",
    "(voyage.ensure :ship <Ocean> :number 1) (voyage.ensure :ship <Oc> :number 2)",
    '(sailor.hire :email "x" :age 3)',  # its run fails
    "(ship.load :tonnage 1)",
    "(ship.load",
)
NEXT = {
    State.EMPTY: ("SetScope", "ImportSheet"),
    State.SCOPED: ("SetTemplate", "ImportSheet"),
    State.TEMPLATED: ("ConfirmIntent", "GenerateSheet"),
    State.GENERATED: ("ParseSheet", "ImportSheet"),
    State.PARSED: ("ImportSheet",),
    State.RESOLVING: ("ResolveReference",),
    State.READY: ("ResolveReference", "SubmitSheet", "ParseSheet"),
    State.EXECUTED: ("ParseSheet", "ImportSheet"),
}


class Walker:
    """One session, its two lists, and chance."""

    def __init__(self, fleet: Driver, session: str, seed: int, ships: list[str]) -> None:
        self.fleet = fleet
        self.session = session
        self.chance = random.Random(seed)  # to choose steps, not secrets
        self.ships = ships
        self.past: list[Any] = []
        self.future: list[Any] = []

    async def look(self) -> Any:
        """All that can be seen of the layers."""
        session = (await self.fleet.engine.get_session(self.session)).row.session
        sheet, references = None, []
        if session.sheet is not None:
            sheet = await self.fleet.engine.sheets.get(self.session, "")
            references = await self.fleet.engine.sheets.references(self.session, "", -1, 100, unresolved_only=False)
        return (
            session.state,
            session.scope,
            session.template,
            session.sheet,
            sheet,
            references,
            session.last_execution_id,
        )

    async def step(self) -> None:
        """One step, if it is accepted, and the lists as an editor would have them."""
        before = await self.look()
        name = self.chance.choice(
            [*NEXT[before[0]], *NEXT[before[0]], "UndoSession", "UndoSession", "RedoSession", "Any"]
        )
        intent = await self.intent(name, before)
        try:
            await self.fleet.call(self.session, intent)
        except SheetError:
            assert name != "UndoSession" or not self.past
            assert name != "RedoSession" or not self.future
            assert await self.look() == before
            return
        if isinstance(intent, intents.SubmitSheet):
            run = (await self.fleet.engine.get_session(self.session)).row.session
            await self.fleet.finish(run.execution_id or run.last_execution_id)
        if name == "UndoSession":
            self.future.append(before)
            assert await self.look() == self.past.pop()
        elif name == "RedoSession":
            self.past.append(before)
            assert await self.look() == self.future.pop()
        else:
            self.past, self.future = [*self.past, before], []

    async def intent(self, name: str, now: Any) -> Intent:
        """A request of this kind; of the sheets only the one that fails is ever run."""
        match name:
            case "UndoSession":
                return intents.UndoSession()
            case "RedoSession":
                return intents.RedoSession()
            case "SetScope":
                return intents.SetScope("ship", all=True)
            case "SetTemplate":
                return intents.SetTemplate("(ship.load :ship @ship :tonnage 9) (voyage.ensure :ship <Se> :number 4)")
            case "ConfirmIntent":
                return intents.ConfirmIntent()
            case "GenerateSheet":
                return intents.GenerateSheet()
            case "ParseSheet":
                return intents.ParseSheet()
            case "SubmitSheet" if now[4].statement_count == 1:
                return intents.SubmitSheet(confirm=True)
            case "ResolveReference" | "SubmitSheet" if now[5]:
                ref_id = self.chance.choice(now[5]).row.reference.ref_id
                return intents.ResolveReference(ref_id, self.chance.choice(self.ships), self.chance.random() < 0.4)
            case "Any":
                return self.chance.choice(
                    [intents.ResetSession(State.EMPTY), intents.ClearScope(), intents.ParseSheet()]
                )
            case _:
                return intents.ImportSheet(self.chance.choice(SHEETS))


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_undone_or_redone_looks_as_it_did(path: Path, seed: int) -> None:
    async with drive(path) as fleet:
        ran = await fleet.run('(ship.ensure :name "Sea Star") (ship.ensure :name "Ocean")')
        walker = Walker(fleet, await fleet.open(), seed, [str(key) for key in ran.keys])
        for _ in range(STEPS):
            await walker.step()
        while walker.past:  # and all the way back
            await fleet.call(walker.session, intents.UndoSession())
            assert await walker.look() == walker.past.pop()
