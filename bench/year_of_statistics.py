"""A year of statistics of a made-up campsite: what a page shows, and what has to fit on the disk.

Some 1,200 devices at the best hour of a summer's evening, at fifty access points of which the popular ones
have ten times the guests of the remote ones; a device is of several uses an hour, one in four is at two
places; octets are log-normal about what each use takes. Cells below three clients are merged by the
appliance's own rule. 28 days are drawn, seven of each season, and each stands for those of its weekday.
"""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import Category, OsFamily
from appliance.model.addresses import mac_text
from appliance.model.instants import HOUR_NS, start_of
from appliance.runtime.files import write_many
from appliance.statistics.anonymity import CATEGORY_BITS, FEWEST, Cells
from appliance.statistics.counting import hour_statement
from appliance.statistics.places import Places
from appliance.statistics.statements import DayStatement, HourStatement, Users, line
from appliance.vault import day_archive
from appliance.vault.names import Home
from bench.busy_day import RHYTHM

DEVICES = 1_200
SEASONS = (0.45, 0.8, 1.0, 0.65)
"""How full it is in winter, spring, summer and autumn."""

_FIRST_ACCESS_POINT = 4097
_RUN = "5e9a01c2"
_DRAWN = dt.date(2024, 1, 1)  # a Monday; its ten digits stand in the lines until they are another day's

_USES = (
    # use, share of devices an hour, octets a device and hour
    (Category.OTHER, 0.5, 2e5), (Category.MAIL, 0.35, 4e5), (Category.SOCIAL, 0.6, 8e6),
    (Category.WEB, 0.15, 3e5), (Category.TLS_WEB, 0.95, 6e6), (Category.VIDEO, 0.45, 4e7),
    (Category.MUSIC, 0.2, 8e6), (Category.CALLS, 0.25, 5e6), (Category.GAMES, 0.12, 3e6),
    (Category.FILE_TRANSFER, 0.2, 2e6), (Category.UPDATE_STORE, 0.3, 2e6), (Category.NAME_SERVICE, 0.98, 5e3),
    (Category.VPN, 0.1, 3e6), (Category.MESSAGING, 0.7, 6e5),
)  # fmt: skip

_SYSTEMS = (
    (OsFamily.ANDROID, 0.44), (OsFamily.APPLE_MOBILE, 0.34), (OsFamily.WINDOWS, 0.1), (OsFamily.MACOS, 0.05),
    (OsFamily.OTHER, 0.04), (OsFamily.LINUX, 0.02), (OsFamily.CONSOLE, 0.01),
)  # fmt: skip


def macs(count: int) -> list[str]:
    """The access points' MACs, for `[statistics] access_points`."""
    return [mac_text(0x0250_5E10_0000 + number) for number in range(count)]


def fill(home: Home, last_day: dt.date, days: int = 365, access_points: int = 50, seed: int = 1) -> None:
    """Write the days up to `last_day`: that one as a recorder leaves it, those before it packed."""
    drawn: dict[tuple[int, int], dict[str, bytes]] = {}
    packed: dict[tuple[int, int], bytes] = {}
    for day in (last_day - dt.timedelta(days=back) for back in reversed(range(days))):
        kind = day.month % 12 // 3, day.weekday()
        if kind not in drawn:
            drawn[kind] = _files(*kind, access_points, seed)
            packed[kind], _ = day_archive.pack(
                str(_DRAWN), {name: (text, 0) for name, text in drawn[kind].items()}
            )
        folder = home.statistics / str(day)
        if day == last_day:
            files = {
                name: text.replace(str(_DRAWN).encode(), str(day).encode())
                for name, text in drawn[kind].items()
            }
            write_many([(folder / name, text) for name, text in files.items()])
        else:
            write_many([(folder / day_archive.NAME, _dated(packed[kind], day))])


def _dated(archive: bytes, day: dt.date) -> bytes:
    head, _, planes = archive.partition(b"\n")
    told = json.loads(head) | {"day": str(day)}
    return json.dumps(told, separators=(",", ":")).encode() + b"\n" + planes


def _files(season: int, weekday: int, access_points: int, seed: int) -> dict[str, bytes]:
    draw = np.random.default_rng((seed, season, weekday))
    devices = int(DEVICES * SEASONS[season] * (1.15 if weekday >= 4 else 1.0))
    hours = list(_hours(draw, devices, access_points))
    files = {f"{_RUN}-{number:06}.jsonl": f"{line(hour)}\n".encode() for number, hour in enumerate(hours)}
    return files | {f"{_RUN}-{len(hours):06}.jsonl": f"{line(_day(draw, devices))}\n".encode()}


def _day(draw: np.random.Generator, devices: int) -> DayStatement:
    counted = [(system, int(draw.poisson(2 * devices * share))) for system, share in _SYSTEMS]
    systems = tuple((system.name.lower(), Users(count)) for system, count in counted if count >= FEWEST)
    return DayStatement(start_of(_DRAWN), Users(2 * devices), systems)


def _hours(draw: np.random.Generator, devices: int, access_points: int) -> Iterator[HourStatement]:
    places = Places(macs(access_points))
    for hour, load in enumerate(RHYTHM):
        there = 1 + int(devices * load / max(RHYTHM) * draw.lognormal(0, 0.15))
        yield hour_statement(start_of(_DRAWN) + hour * HOUR_NS, _cells(draw, there, access_points), places)


def _cells(draw: np.random.Generator, devices: int, access_points: int) -> Cells:
    """What so many devices do in an hour."""
    popular = 1 / np.arange(1, access_points + 1) ** 0.6
    shares, octets = np.array([(share, octets) for _, share, octets in _USES]).T
    device, use = np.nonzero(draw.random((devices, len(_USES))) < shares)
    first = draw.choice(access_points, devices, p=popular / popular.sum())
    second = np.where(draw.random(devices) < 0.25, draw.integers(0, access_points, devices), first)
    place = np.concatenate([first[device], second[device]])
    device, use = np.tile(device, 2), np.tile(use, 2)
    category = np.array([use for use, _, _ in _USES])[use]
    codes, which = np.unique(place + _FIRST_ACCESS_POINT << CATEGORY_BITS | category, return_inverse=True)
    moved = _sum(which, draw.lognormal(0, 1.6, len(use)) * octets[use], len(codes))
    connections = _sum(which, 1 + draw.poisson(draw.lognormal(1.5, 1, len(use))), len(codes))
    clients = draw.integers(1, 1 << 40, devices).astype(np.uint64) << np.uint64(2)
    nothing = np.zeros(len(codes), np.int64)
    return Cells(
        codes.astype(np.uint64), moved, connections, which.astype(np.uint64), clients[device], nothing
    )


def _sum(which: NDArray[np.intp], amounts: NDArray[Any], count: int) -> NDArray[np.int64]:
    return np.bincount(which, amounts, count).astype(np.int64)
