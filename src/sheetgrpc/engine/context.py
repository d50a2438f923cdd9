"""What every part of the engine works with."""

from collections.abc import Mapping

import msgspec

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.clock import Draws
from sheetgrpc.config import Settings
from sheetgrpc.engine.analyst import Analyst
from sheetgrpc.engine.aside import decode
from sheetgrpc.engine.breakers import Breakers
from sheetgrpc.engine.lifetimes import Lifetimes
from sheetgrpc.engine.presence import Presence
from sheetgrpc.engine.replies import Replies
from sheetgrpc.engine.runs import Runs
from sheetgrpc.engine.views import SessionView
from sheetgrpc.engine.watching import Topics
from sheetgrpc.planning.model import Analysis, Key
from sheetgrpc.session.machine import allowed_actions
from sheetgrpc.session.model import Session, State
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import SessionRow, SheetRow
from sheetgrpc.trust.model import NO_HANDLERS, Handlers, TrustedModule


class Context(msgspec.Struct, frozen=True):
    """The parts, put together once at start."""

    store: Store
    catalog: Catalog
    settings: Settings
    draws: Draws
    analyst: Analyst
    runs: Runs
    topics: Topics
    presence: Presence
    lifetimes: Lifetimes
    replies: Replies
    handlers: Handlers = NO_HANDLERS
    breakers: Breakers = msgspec.field(default_factory=Breakers)

    def view(self, row: SessionRow) -> SessionView:
        """A session as a caller sees it now; the progress of a running execution is live."""
        session = row.session
        completed, total = session.progress_completed, session.progress_total
        if session.state is State.EXECUTING:
            run = self.runs.get(session.execution_id)
            completed, total = (run.completed, run.total) if run is not None else (0, session_total(session))
        actions = allowed_actions(session, self.catalog.digest)
        return SessionView(row, actions, completed, total, self.lifetimes.deadline(row))

    async def analyse(self, sheet: SheetRow, session: Session) -> Analysis:
        """The analysis of a sheet with what was resolved so far: the kept one, or a fresh one."""
        kept = self.analyst.recall(sheet.id)
        if kept is not None and await self._is_current(sheet, kept):
            return kept
        mark = self.analyst.mark(sheet.id)
        try:
            resolutions = await self.resolutions(sheet.id)
            analysis = await self.analyst.analyse(await decode(sheet.source), resolutions, session.committed)
            self.analyst.keep(sheet.id, analysis, mark)
        finally:
            self.analyst.unmark(sheet.id, mark)
        return analysis

    async def trusted_modules(self, session: Session) -> tuple[TrustedModule, ...]:
        """The modules whose functions a run of the session's sheet calls; all that it might, where it has no plan."""
        if not self.handlers.modules or session.sheet is None:
            return ()
        analysis = self.analyst.recall(session.sheet.id)  # however old: the verbs are the sheet's
        if analysis is None:
            analysis = await self.analyse(await self.store.sheet(session.sheet.id), session)
        if analysis.plan is None:
            return self.handlers.trusted
        return self.handlers.of(group.verb for group in analysis.plan.groups)

    async def _is_current(self, sheet: SheetRow, kept: Analysis) -> bool:
        """False where another server has resolved references since, or has undone that."""
        if not self.runs.shared:
            return True
        chosen = {ref_id: key for ref_id, (_, key) in (await self.store.resolutions(sheet.id)).items()}
        return chosen == {one.ref_id: one.entity_id for one in kept.references if one.entity_id is not None}

    async def resolutions(self, sheet_id: str) -> Mapping[str, Key]:
        """ref_id -> key of earlier resolutions whose row still exists."""
        return await self.present(await self.store.resolutions(sheet_id))

    async def present(self, chosen: Mapping[str, tuple[str, Key]]) -> dict[str, Key]:
        """ref_id -> key of those of these (entity type, key) that a row has."""
        kept: dict[str, Key] = {}
        by_type: dict[str, dict[str, Key]] = {}
        for ref_id, (kind, key) in chosen.items():
            by_type.setdefault(kind, {})[ref_id] = key
        for kind, keys in by_type.items():
            entity = self.catalog.entities.get(kind)
            if entity is not None:
                there = await self.store.existing(entity, list(keys.values()))
                kept.update({ref_id: key for ref_id, key in keys.items() if key in there})
        return kept


def session_total(session: Session) -> int:
    """The statements of the session's sheet."""
    return session.sheet.statement_count if session.sheet is not None else 0
