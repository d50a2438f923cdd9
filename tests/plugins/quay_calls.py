"""A second plug-in for the tests, whose function does as its statement says."""

from sheetgrpc.handler import Call, Refused


def work(call: Call) -> None:
    """Does well, refuses, or fails."""
    match call.arguments["mode"]:
        case "refuse":
            raise Refused("the quay is closed")
        case "error":
            raise RuntimeError("the crane is broken")
