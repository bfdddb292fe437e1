"""What an alarm that a process of the box raised means to whoever is responsible for it. Pure."""

from collections.abc import Mapping

from appliance.control.messages import Finding
from appliance.control.words import Level, Trouble
from appliance.model.instants import to_iso
from appliance.model.source_names import INTERFACE
from appliance.supervision.facts import Copying, Process, Raised

_MEANS: Mapping[str, tuple[Trouble, Level]] = {
    "interface_down": (Trouble.LINK_DOWN, Level.FAILING),
    "mirror_silent": (Trouble.NOTHING_ARRIVES, Level.ATTENTION),
    "packets_lost": (Trouble.PACKETS_LOST, Level.ATTENTION),
    "feeds_lost": (Trouble.PACKETS_LOST, Level.ATTENTION),
    "interface_can_send": (Trouble.CAN_SEND, Level.ATTENTION),
    "clock_unsynchronised": (Trouble.CLOCK_UNSYNCHRONISED, Level.ATTENTION),
    "sources": (Trouble.SETTINGS_BROKEN, Level.ATTENTION),
    "storage": (Trouble.ALARM, Level.FAILING),
}

_SILENT = "silent:"
_STOPPED = "_stopped"
_OF_ALL = ("clock_unsynchronised", "storage", "sources", "feeds_lost")
"""Not of one interface, though the process may record one."""


def of_process(process: Process, alarm: Raised) -> Finding:
    """An alarm of a process that records."""
    if alarm.kind.endswith(_STOPPED):
        trouble, level, subject = Trouble.VAULT_STOPPED, Level.FAILING, alarm.kind.removesuffix(_STOPPED)
    elif alarm.kind.startswith(_SILENT):
        trouble, level, subject = *_silence(alarm.kind), alarm.kind.removeprefix(_SILENT)
    else:
        trouble, level = _MEANS.get(alarm.kind, (Trouble.ALARM, Level.ATTENTION))
        subject = "" if alarm.kind in _OF_ALL else _interface(process)
    return Finding(trouble, level, subject, to_iso(alarm.since_ns), 0, _sentence(alarm))


def of_central(central: Copying, alarm: Raised) -> Finding:
    """An alarm of the process that sends to one central."""
    level = Level.FAILING if alarm.kind == "contradicted" else Level.ATTENTION
    return Finding(
        Trouble.CENTRAL_STUCK, level, central.name, to_iso(alarm.since_ns), central.left, _sentence(alarm)
    )


def _silence(kind: str) -> tuple[Trouble, Level]:
    of_point = "/" in kind
    return (Trouble.ACCESS_POINT_SILENT if of_point else Trouble.SOURCE_SILENT), Level.ATTENTION


def _interface(process: Process) -> str:
    names = [name.removeprefix(INTERFACE) for name in process.sources if name.startswith(INTERFACE)]
    return names[0] if len(names) == 1 else ""


def _sentence(alarm: Raised) -> str:
    return f"{alarm.message} (since {to_iso(alarm.since_ns)[:19]}Z)"
