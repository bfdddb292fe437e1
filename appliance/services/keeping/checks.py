"""Everything of a box that can be tested, tested now: each check does the real thing."""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable

from appliance.capture import listening
from appliance.capture.interface import Link, link_of
from appliance.control.messages import Actor, AskTests, Tested, Tests
from appliance.control.words import Check, Outcome
from appliance.model.errors import CaptureError, GreffierError
from appliance.model.instants import NS, day_of
from appliance.model.networks import Networks
from appliance.replication import enrolling
from appliance.replication.enrolled import Enrolled, enrolled
from appliance.runtime import recorder_state
from appliance.runtime.files import write_once
from appliance.runtime.recorder_state import RecorderState
from appliance.runtime.timekeeping import clock_state
from appliance.services.keeping import audited, present
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.standing import settings
from appliance.supervision.findings import FULL_BYTES, SILENT_NS
from appliance.vault import chain, chain_check, envelopes, liveness, signing
from appliance.vault.day_keys import DayKey
from appliance.vault.names import VaultName

LISTEN_S = 2.0
BUSY = 100
"""Frames for others while we listen: on such a link somebody is online, and is a client of a network."""

WHOLE_BYTES = 2 << 20
"""Of a chain: a month of it; its signatures are checked in less than a second."""

Ended = tuple[Outcome, str]


def _home(at: AtHand) -> Ended:
    home = at.home()
    settings(at)
    signing.load(home.signing_key)
    for path, most in ((home.path, 0o700), (home.signing_key, 0o600)):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~most:
            return Outcome.FAILED, f"others may open {path}; run: chmod {most:o} {path}"
    return Outcome.PASSED, f"{home.path} is whole and its owner's alone"


def _disk(at: AtHand) -> Ended:
    """Something is written as records are, and read back."""
    home = at.home()
    path, content = home.state / "test", secrets.token_bytes(4096)
    try:
        write_once(path, content)
        same = path.read_bytes() == content
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    room = os.statvfs(home.path)
    free = room.f_bavail * room.f_frsize
    if not same or free < FULL_BYTES:
        return Outcome.FAILED, "the disk does not give back what it takes, or is full"
    return Outcome.PASSED, f"the disk takes and gives; {free >> 20:,} MiB are free"


def _clock(_: AtHand) -> Ended:
    try:
        clock = clock_state()
    except OSError as error:
        return Outcome.LATER, f"the kernel does not say how good the clock is: {error.strerror}"
    if not clock.synchronised:
        return Outcome.LATER, "nothing keeps the clock right yet; install chrony and see 'chronyc tracking'"
    return Outcome.PASSED, f"the clock is kept right, to {clock.error_us // 1000:,} ms at worst"


def _chain(at: AtHand) -> Ended:
    """Every line and every signature, unless they are so many that nobody would wait."""
    home = at.home()
    noted = chain.known_head(home)
    now = at.chain()
    if now.size_bytes > WHOLE_BYTES:
        whole = noted and noted.seq < len(now.entries) and now.entries[noted.seq].hash == noted.hash
        if not whole or now.catalogue.rolled_back:
            return Outcome.FAILED, "the chain was cut, rolled back or replaced; see 'greffier verify'"
        return Outcome.PASSED, f"the chain has {len(now.entries):,} lines; 'greffier verify' proves each"
    own = signing.load(home.signing_key)
    checked = chain_check.check(chain.content(home), noted, None, own.box)
    if checked.faults:
        fault = checked.faults[0]
        return Outcome.FAILED, f"{fault.place} {fault.what}; see 'greffier verify'"
    return Outcome.PASSED, f"the chain is as it was signed, to line {len(checked.entries):,}"


def _audit(at: AtHand) -> Ended:
    fault = audited.fault(at)
    return (Outcome.FAILED, fault) if fault else (Outcome.PASSED, "every step is as it was signed")


def _custodians(at: AtHand) -> Ended:
    """A key that is thrown away is split between them and sealed, as every day's is."""
    config = settings(at)
    signer = signing.load(at.home().signing_key)
    key = DayKey(VaultName.TRAFFIC, day_of(at.clock()), secrets.token_hex(8), secrets.token_bytes(32))
    sealed = envelopes.seal_key(key, "00000000", config.custodians, config.quorum, signer)
    envelopes.parse(sealed, signer.box)
    told = f"{config.quorum} of {len(config.custodians)} custodians must come together to read"
    return (Outcome.PASSED if config.quorum > 1 else Outcome.FAILED), told


def _interface(at: AtHand) -> Ended:
    names = settings(at).capture.interfaces
    if not names:
        return Outcome.LATER, "no interface is to be recorded; feeds alone are"
    down = [name for name in names if link_of(name) is not Link.UP]
    if down:
        return Outcome.FAILED, f"'{down[0]}' has no link, or is not there; look at its cable"
    return Outcome.PASSED, f"{', '.join(names)}: the link is up"


def _traffic(at: AtHand) -> Ended:
    """Packets of clients: what comes while we listen ourselves, or who is connected; else what feeds told."""
    config = settings(at)
    names = config.capture.interfaces
    counted = sum(source.packets for state in _live(at) for source in state.sources)
    if counted and (not names or _somebody(at)):
        return Outcome.PASSED, f"{counted:,} packets and messages since recording began"
    up = [name for name in names if link_of(name) is Link.UP]
    try:
        heard = listening.listen(up, LISTEN_S, Networks.of(config.client_networks)) if up else {}
    except CaptureError as error:
        return Outcome.LATER, str(error)
    clients = sum(one.of_clients for one in heard.values())
    foreign = sum(one.foreign for one in heard.values())
    if clients:
        return Outcome.PASSED, f"{clients:,} packets of clients came in {LISTEN_S:.0f} seconds"
    if foreign >= BUSY:
        return Outcome.FAILED, (
            f"{foreign:,} frames came in {LISTEN_S:.0f} seconds, none of a client in "
            f"{', '.join(config.client_networks)}; see 'client_networks'"
        )
    return Outcome.LATER, "nothing of a client has come yet; is the mirror configured on the switch?"


def _somebody(at: AtHand) -> bool:
    """Whether clients are connected; one or two are not told of (decision 082)."""
    return bool(present.figures(at).users_now)


def _recording(at: AtHand) -> Ended:
    states = recorder_state.read_all(at.home().state)
    live = _live(at)
    if live:
        stuck = [state for state in live if at.clock() - state.updated_ns > SILENT_NS]
        if stuck:
            silent_s = (at.clock() - stuck[0].updated_ns) // NS
            return Outcome.FAILED, f"a recorder has said nothing for {silent_s} seconds; restart it"
        return Outcome.PASSED, f"{sum(len(state.sources) for state in live)} sources are recorded"
    if any(not state.ended for state in states):
        return Outcome.FAILED, "the recorder ended without closing; start 'greffier record' again"
    return Outcome.LATER, "nobody records yet; start 'greffier record' or 'greffier listen'"


def _centrals(at: AtHand) -> Ended:
    """Each is asked who it is, over TLS that only it can answer."""
    known = enrolled(at.home())
    if not known:
        return Outcome.LATER, "the box is enrolled with no central yet"
    for central in known:
        _reach(at, central)
    return Outcome.PASSED, f"{', '.join(central.identity.name for central in known)}: reached, and the same"


def _reach(at: AtHand, central: Enrolled) -> None:
    """Raises ReplicationError."""
    config = settings(at).replication
    enrolling.identity_at(central.url, config, central.identity.authority)


def _live(at: AtHand) -> list[RecorderState]:
    home = at.home()
    return [state for state in recorder_state.read_all(home.state) if liveness.is_live(home, state.run)]


CHECKS: dict[Check, Callable[[AtHand], Ended]] = {
    Check.HOME: _home,
    Check.DISK: _disk,
    Check.CLOCK: _clock,
    Check.CHAIN: _chain,
    Check.AUDIT: _audit,
    Check.CUSTODIANS: _custodians,
    Check.INTERFACE: _interface,
    Check.TRAFFIC: _traffic,
    Check.RECORDING: _recording,
    Check.CENTRALS: _centrals,
}


def _tests(at: AtHand, _: Actor, __: AskTests) -> Tests:
    at.home()
    return Tests(tuple(_tested(at, check) for check in Check))


def _tested(at: AtHand, check: Check) -> Tested:
    try:
        return Tested(check, *CHECKS[check](at))
    except GreffierError as error:
        return Tested(check, Outcome.FAILED, str(error))
    except OSError as error:
        return Tested(check, Outcome.FAILED, f"{error.strerror}; repair the disk, and see who owns the home")


HANDLERS: Handlers = {AskTests: _tests}
