"""The handlers that do well: a module of the package that the others import."""

from typing import Any

from sheetgrpc.handler import Call, Refused


def sign(call: Call) -> Any:  # a key of whatever type
    """Signs a sailor on, of a ship that is there; answers the sailor's key."""
    ships = call.find("ship", {"ship_id": call.arguments["ship"]}, ["name", "tonnage"])
    if ships and ships[0]["tonnage"] == 13:
        raise Refused("nobody sails on her", ships[0]["name"])
    values = {"email": call.arguments["email"], "ship_id": call.arguments["ship"], "age": call.arguments["age"]}
    return call.insert("sailor", values)


async def build(call: Call) -> Any:
    """Builds ships, and answers the first."""
    keys = [call.insert("ship", {"name": f"{call.arguments['name']} {at}"}) for at in range(call.arguments["count"])]
    return keys[0] if keys else None


def change(call: Call) -> None:
    """Changes and removes ports, and the ships' calls there."""
    port = call.find("port", {"code": call.arguments["code"]})[0]
    call.delete("calls", {"port_no": port["port_no"]})
    call.update("port", {"port_no": port["port_no"]}, {"name": call.arguments["name"], "depth": None})
    call.update("port", {"port_no": port["port_no"]}, {"name": call.arguments["name"]})
    call.delete("port", {"name": "doomed"})
    call.emit("registry", "CREATED", key="r-1", after={"told": True})
