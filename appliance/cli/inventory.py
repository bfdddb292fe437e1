"""Ask the access points and switches of the site, by SNMP, what they are and whom their tables name.

Every address of the ranges in box.toml, section [inventory], is asked alone, on UDP port 161; nothing is ever
broadcast and nothing is set. The list of what is asked stands in appliance/feeds/README.md. Devices are
written to HOME/inventory/devices.json; who holds which address becomes bindings, sealed like all others.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.stderr import complain
from appliance.cli.wording import several
from appliance.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.feeds.snmp.tables import Device

EXAMPLES = """  greffier inventory --home /var/lib/greffier
  greffier inventory --home /var/lib/greffier --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Ask, then show who answered."""
    from appliance.cli import progress
    from appliance.config import box
    from appliance.runtime.clock import now_ns
    from appliance.services.feeds import inventory
    from appliance.services.feeds.intake import Intake
    from appliance.services.recording import recording
    from appliance.vault import homes

    config = box.read(homes.existing(args.home).config).inventory
    if not config.ranges:
        raise UsageError(
            f"nobody is asked: name the networks of your access points and switches as 'ranges' in section "
            f"[inventory] of {args.home / 'box.toml'}"
        )
    with recording.recording(args.home, Intake) as at_work:
        with progress.of_addresses(len(inventory.addresses_of(config.ranges))) as told:
            devices = inventory.Inventory(at_work, config, told).run()
        path = inventory.write(args.home, devices, now_ns())
    for note in at_work.report.notes:
        complain(note)
    bindings = at_work.report.bindings
    if args.json:
        shown = {"devices": [inventory.as_json(each) for each in devices], "bindings": bindings}
        print(json.dumps(shown, ensure_ascii=False))
    else:
        _show(devices)
        print(f"{several(bindings, 'binding')} recorded; the devices are in {path}")
    return 0


def _show(devices: "Sequence[Device]") -> None:
    from rich.console import Console
    from rich.table import Table

    if not devices:
        print("nobody answered: is SNMP switched on, and the community the one of your devices?")
        return
    table = Table("address", "name", "what it is", "interfaces up", "stations", "running for", box=None)
    for each in devices:
        up = sum(interface.up for interface in each.interfaces)
        stations = sum(interface.stations for interface in each.interfaces)
        days, hours = each.up_s // 86_400, each.up_s % 86_400 // 3600
        table.add_row(
            each.address, each.name, each.description[:40], str(up), str(stations), f"{days} d {hours} h"
        )
    Console(highlight=False, markup=False).print(table)
