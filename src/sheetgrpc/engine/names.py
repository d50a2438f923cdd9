"""Names and what they may mean: ranked candidates for references and for SearchEntities.

A name binds by itself only where exactly one row has it exactly (planning does that). Otherwise a bounded pool of rows
comes from the database and is ranked here by rapidfuzz; equal scores rank by key, so the order is always the same.
"""

from collections.abc import Sequence

from rapidfuzz import fuzz, utils

from sheetgrpc.catalog.model import Entity
from sheetgrpc.engine.context import Context
from sheetgrpc.planning.model import Reference
from sheetgrpc.store.records import Candidate, ReferenceRow

SHOWN = 10
_POOL = 200
_RANKED_NAMES = 50  # distinct open names that get candidates in one parse; SearchEntities finds those of the rest


class Names:
    """Candidates for names."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def rank(self, references: Sequence[Reference]) -> list[ReferenceRow]:
        """Every reference with its candidates; one look-up a distinct name."""
        found: dict[tuple[str, str], tuple[Candidate, ...]] = {}
        rows: list[ReferenceRow] = []
        for reference in references:
            candidates: tuple[Candidate, ...] = ()
            if reference.entity_id is None:
                name = reference.entity_type, reference.text
                if name not in found and len(found) < _RANKED_NAMES:
                    entity = self._context.catalog.entities[reference.entity_type]
                    found[name] = tuple(await self.search(entity, reference.text, SHOWN))
                candidates = found.get(name, ())
            rows.append(ReferenceRow(reference, candidates))
        return rows

    async def search(self, entity: Entity, text: str, limit: int) -> list[Candidate]:
        """The best candidates, best first, then by key."""
        pool = await self._context.store.similar(entity, text, max(_POOL, limit))
        ranked = [
            Candidate(candidate.entity_id, candidate.display, round(score(text, candidate.display), 4))
            for candidate in pool
        ]
        ranked.sort(key=lambda candidate: (-candidate.score, str(candidate.entity_id)))
        return ranked[:limit]


def score(text: str, display: str) -> float:
    """How alike two names are, 0 to 1; case and punctuation do not count."""
    return float(fuzz.WRatio(text, display, processor=utils.default_process)) / 100
