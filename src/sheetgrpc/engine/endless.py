"""Tasks that go on for ever, until somebody ends them.

A cancel can get lost: whatever a cancelled task has to clean up may fail, and the failure takes the cancel's place. A
loop that survives failures would then survive its end, too, and a server that waits for it would never stop.
"""

import asyncio

_AGAIN_SECONDS = 1.0


async def end(*tasks: "asyncio.Task[None]") -> None:
    """Cancels them, again where that came to nothing, and waits until they have ended; raises nothing of theirs."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
