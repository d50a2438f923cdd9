"""The harbour of the planning tests: a catalog of its own, and what its database would answer."""

from pathlib import Path

from sheetgrpc.catalog.loading import load
from sheetgrpc.planning.model import Known

AURORA = "0190c2e0-0000-7000-8000-00000000000a"
BOREAS = "0190c2e0-0000-7000-8000-00000000000b"
GONE = "0190c2e0-0000-7000-8000-0000000000ff"

_PATH = Path(__file__).with_name("harbour.yaml")
CATALOG = load(_PATH.read_text(encoding="utf-8"), _PATH.name)

# In the database: two ships, two ports, two berths. Committed by earlier sheets of the session: three symbols.
KNOWN = Known(
    references={
        "ship": {"Aurora": AURORA, "AURO": AURORA, "Boreas": BOREAS},
        "port": {"Port of Antwerp": "ANR"},
        "berth": {"Quay 7": 7},
    },
    keys={"ship": {AURORA, BOREAS}, "port": {"ANR", "RTM"}, "berth": {7, -8}},
    symbols={"old-ship": ("ship", AURORA), "old-port": ("port", "RTM"), "old-berth": ("berth", 7)},
    complete=True,
)
