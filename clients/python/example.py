"""A sheet from text to tables, against a server started with `sheetgrpc serve`: python example.py [HOST:PORT]."""

import asyncio
import sys

from sheetgrpc.client import Finished, NotAllowed, PhaseCompleted, connect, words

SHEET = """
(cbu.assign-role :cbu-id @fund :entity-id @manager :role "MANAGEMENT_COMPANY")
(cbu.ensure :name "Example Balanced Fund" :jurisdiction "LU" :as @fund)
(entity.ensure-limited-company :name "Example Asset Management AG" :jurisdiction "CH" :as @manager)
"""


async def main(address: str) -> None:
    """Import, parse, resolve, execute, read back."""
    async with connect(address) as client:
        session = await client.sessions.create("the SDK's example")
        await session.import_sheet(SHEET)
        sheet = await session.parse_sheet()
        for finding in sheet.diagnostics:
            print(f"line {finding.span.line}: {finding.message}")
        for reference in sheet.unresolved_references:  # none here; this is how
            await session.resolve_reference(reference.ref_id, reference.candidates[0].entity_id)

        try:
            stream = session.execute_sheet(confirm=True)
            async for update in stream:
                match update:
                    case PhaseCompleted():
                        print(f"phases up to {update.last_depth}: {update.succeeded} done")
                    case Finished(execution):
                        print(words.execution_state(execution.state))
        except NotAllowed as error:
            print(f"refused, {error.reason}: {error.message}")
            return

        async for result in client.executions.results(stream.execution_id):
            print(result.index, words.effect_kind(result.effect_kind), result.returned_key)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"))
