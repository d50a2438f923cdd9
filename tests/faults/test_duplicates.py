"""The same request one after the other, at once, across a restart: done once, answered alike, for every command."""

import asyncio
from pathlib import Path

from tests.faults.cases import dump, opened, send
from tests.faults.conftest import Expected


async def test_fifty_at_once_and_more_after_a_restart_are_one(expected: Expected, tmp_path: Path) -> None:
    """D-1, and "concurrent x50" of D-44; D-45: the answer is the first one's, and says that it is."""
    path = expected.copy(tmp_path / "copy.db")
    async with opened(path) as engine:
        at_once = await asyncio.gather(*(send(engine, expected.case) for _ in range(50)))
        later = await send(engine, expected.case)
    async with opened(path) as engine:
        restarted = await asyncio.gather(*(send(engine, expected.case) for _ in range(5)))
    assert {reply.body for reply in (*at_once, later, *restarted)} == {expected.reply}
    assert [reply.replayed for reply in (*at_once, later, *restarted)].count(False) == 1
    assert not all(reply.replayed for reply in at_once)
    assert dump(path) == expected.after


async def test_a_kept_answer_is_found_by_its_whole_key_alone(expected: Expected, tmp_path: Path) -> None:
    """D-44: "other principal", "other method"."""
    path = expected.copy(tmp_path / "copy.db")
    async with opened(path) as engine:
        first = await send(engine, expected.case)
        stored = first.stored
        assert stored is not None
        for field in ("caller", "method", "target", "request_id"):
            other = {name: getattr(stored.key, name) for name in stored.key.__struct_fields__} | {field: "other"}
            assert await engine.store.reply(type(stored.key)(**other)) is None
        assert await engine.store.reply(stored.key) == stored
