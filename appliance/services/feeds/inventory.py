"""The inventory: every address of the declared ranges is asked what it is, and whom its tables name.

Devices go into HOME/inventory/devices.json; whom they name becomes bindings, sealed like all others.
"""

import asyncio
import ipaddress
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from appliance.config.inventory import InventoryConfig
from appliance.feeds.snmp.tables import Answers, Device, device, tell
from appliance.feeds.told import Messages, Teller
from appliance.listeners.snmp import PORT, Asker
from appliance.model.addresses import mac_text
from appliance.model.instants import to_iso
from appliance.model.networks import Networks
from appliance.model.source_names import INVENTORY
from appliance.runtime.clock import now_ns
from appliance.runtime.files import write_once
from appliance.services.feeds.intake import Intake
from appliance.services.recording.recording import Recording

FILE = "inventory/devices.json"
_AT_A_TIME = 64


class Inventory:
    """One round of asking. `progress` is told how many addresses have been asked."""

    def __init__(
        self,
        at_work: Recording[Intake],
        config: InventoryConfig,
        progress: Callable[[int], None],
        port: int = PORT,
    ) -> None:
        self._at_work = at_work
        self._config = config
        self._progress = progress
        self._port = port
        self._clients = Networks.of(at_work.config.client_networks)

    def run(self) -> list[Device]:
        """The devices that answered, by address; what they name is taken in as it comes."""
        return asyncio.run(self._run())

    async def _run(self) -> list[Device]:
        asker = Asker(self._config, self._port)
        number = self._at_work.recorder.number_source(INVENTORY)
        devices: list[Device] = []
        addresses = addresses_of(self._config.ranges)
        try:
            for start in range(0, len(addresses), _AT_A_TIME):
                if self._at_work.stopping.is_set():
                    break
                some = addresses[start : start + _AT_A_TIME]
                for answers in await asyncio.gather(*map(asker.ask, some)):
                    if answers:
                        devices.append(device(answers))
                        self._take(number, answers, devices[-1])
                self._progress(start + len(some))
        finally:
            asker.close()
        return devices

    def _take(self, number: int, answers: Answers, known: Device) -> None:
        """Tell what the tables of one device say; each device is one answer."""
        teller = Teller(self._at_work.recorder.texts)
        at_ns = now_ns()
        tell(answers, known, self._clients, at_ns, teller)
        self._at_work.recorder.sources[number].hear(Messages(np.array([at_ns]), [b""]))
        self._at_work.recorder.keep(number, teller.told(), at_ns)


def addresses_of(ranges: Sequence[str]) -> list[str]:
    """Every address that one device can have, once: never a network's own, never a broadcast's."""
    found = {
        address: None
        for text in ranges
        for address in map(str, ipaddress.ip_network(text, strict=False).hosts())
    }
    return list(found)


def write(home: Path, devices: Sequence[Device], at_ns: int) -> Path:
    """The devices as JSON, whole or not at all; returns the file. Raises StorageError."""
    path = home / FILE
    stated = {"read": to_iso(at_ns), "devices": [as_json(each) for each in devices]}
    write_once(path, json.dumps(stated, indent=2, ensure_ascii=False).encode() + b"\n")
    return path


def as_json(device: Device) -> dict[str, Any]:
    """A device as `greffier inventory --json` shows it."""
    return {
        "address": device.address,
        "name": device.name,
        "description": device.description,
        "location": device.location,
        "object_id": device.object_id,
        "up_s": device.up_s,
        "interfaces": [
            {
                "index": each.index,
                "name": each.name,
                "type": each.kind,
                "mac": mac_text(each.mac) if each.mac else None,
                "up": each.up,
                "speed_mbps": each.speed_mbps,
                "stations": each.stations,
            }
            for each in device.interfaces
        ],
    }
