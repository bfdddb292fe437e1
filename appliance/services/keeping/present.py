"""Who is there now and how much moves, out of the memory of those who record: none of it lies on a disk."""

import functools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from netaddr import EUI
from netaddr.core import AddrFormatError, NotRegisteredError
from numpy.typing import NDArray

from appliance.config import sources
from appliance.control.messages import Actor, AskPresent, Device, Present, SourceNow
from appliance.identity.presence import DEVICE
from appliance.model.addresses import MAC_LOCAL_BIT, mac_text
from appliance.model.errors import HomeError
from appliance.model.instants import to_iso
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.sources_now import interfaces_now
from appliance.services.keeping.standing import settings
from appliance.services.recording import presence_form
from appliance.services.recording.presence_form import Answer, Means
from appliance.statistics.anonymity import FEWEST

LISTED = 5_000
"""Devices of one answer: more than anybody reads. Those that came last are listed."""

_ASK_EVERY_S = 1.0


@dataclass(frozen=True)
class Figures:
    """Numbers that name nobody. `users_now` None: nobody knows, or one or two (decision 082)."""

    known: bool
    users_now: int | None
    packets_per_s: float | None
    bits_per_s: float | None


class _Asked:
    """The last answers, so that many who look cost as much as one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at = float("-inf")
        self.answers: list[Answer] = []


def figures(at: AtHand) -> Figures:
    """Quick: asks the recorders at most once a second. Raises HomeError."""
    answers = _answers(at)
    users = len(_joined(answers)) if answers else None
    seen = [one.head for one in answers if one.head.means is Means.SEEN]
    # What a mirror shows and devices tell besides would be counted twice.
    heads = seen or [one.head for one in answers]
    return Figures(
        bool(answers),
        None if users is not None and 0 < users < FEWEST else users,
        _sum([head.packets_per_s for head in heads]),
        _sum([head.bits_per_s for head in heads]),
    )


def _present(at: AtHand, _: Actor, __: AskPresent) -> Present:
    answers = _answers(at)
    devices = _joined(answers)
    listed = devices[np.argsort(-devices["since"], kind="stable")][:LISTED]
    names = _names(at)
    return Present(
        bool(answers), tuple(_device(one, names) for one in listed.tolist()), len(devices) - len(listed)
    )


def _answers(at: AtHand) -> Sequence[Answer]:
    asked = at.once("present", _Asked)
    with asked.lock:
        if time.monotonic() - asked.at > _ASK_EVERY_S:
            asked.answers = who_can_tell(at, presence_form.ask_all(at.home()))
            asked.at = time.monotonic()
        return asked.answers


def who_can_tell(at: AtHand, answers: Sequence[Answer]) -> list[Answer]:
    """Those of `answers` to be believed; none where it is not known who is there. Raises HomeError."""
    try:
        is_told = bool(sources.read(at.path / sources.NAME))
    except HomeError:
        is_told = True  # what was declared before is heard on
    config = settings(at)
    found = believed(answers, bool(config.capture.interfaces), is_told)
    if any(len(answer.devices) for answer in found):
        return found
    # That nobody is there only those can say who look everywhere: not with a cable out, not one of two.
    return found if all(_looks(one) for one in interfaces_now(at.home(), config)) else []


def _looks(interface: SourceNow) -> bool:
    return interface.live and interface.link in (None, "up")


def believed(answers: Sequence[Answer], is_seen: bool, is_told: bool) -> list[Answer]:
    """Those that know who is there; none where it is not known. The box ought to see a mirror, to be told.

    A listener to whom nobody was declared hears nobody; where the mirror's recorder has ended, what devices
    tell is a part: none connected would be said of a house that is full.
    """
    means = [answer.head.means for answer in answers]
    if is_seen and Means.SEEN not in means:
        return []
    return [answer for answer in answers if is_told or answer.head.means is Means.SEEN]


def _joined(answers: Sequence[Answer]) -> NDArray[np.void]:
    """Each device once: since the earliest, at the access point of whoever heard of it last and knows."""
    devices = np.concatenate([np.zeros(0, DEVICE), *(answer.devices for answer in answers)])
    order = np.lexsort((devices["last"], devices["ap_mac"] != 0, devices["mac"]))
    devices = devices[order]
    if not len(devices):
        return devices
    first = np.flatnonzero(np.append(True, devices["mac"][1:] != devices["mac"][:-1]))
    joined: NDArray[np.void] = devices[np.append(first[1:], len(devices)) - 1]
    joined["since"] = np.minimum.reduceat(devices["since"], first)
    joined["last"] = np.maximum.reduceat(devices["last"], first)
    return joined


def _device(row: tuple[int, ...], names: dict[str, str]) -> Device:
    mac, ap_mac, since, last, _ = row
    randomised = bool(mac & MAC_LOCAL_BIT)
    place = mac_text(ap_mac) if ap_mac else ""
    vendor = None if randomised else _vendor(mac >> 24)
    return Device(mac_text(mac), randomised, vendor, names.get(place, place), to_iso(since), to_iso(last))


def _names(at: AtHand) -> dict[str, str]:
    """What the declarations call access points, by MAC; nothing where they cannot be read."""
    try:
        declared = sources.read(at.path / sources.NAME)
    except HomeError:
        return {}
    return {
        mac: label
        for one in declared
        for mac, label in zip(one.ap_macs, one.ap_labels, strict=False)
        if label
    }


@functools.lru_cache(maxsize=8192)
def _vendor(oui: int) -> str | None:
    """To whom the IEEE has given these 24 bits, by the list that comes with netaddr."""
    try:
        return str(EUI(oui << 24, version=48).oui.registration().org)
    except (NotRegisteredError, AddrFormatError):
        return None


def _sum(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


HANDLERS: Handlers = {AskPresent: _present}
