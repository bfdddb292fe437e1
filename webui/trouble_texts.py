"""The sentences for every trouble, in English; French stands in the catalogue. Pure.

Whoever reads them runs a hotel. `%(subject)s` is an interface, a source, an access point or a central by its
name, `%(count)s` a number.
"""

from dataclasses import dataclass
from enum import StrEnum

from appliance.control.words import Trouble
from webui.rights import Right


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


class Page(StrEnum):
    """Where something can be done about it: the words of the link."""

    SOURCES = _("See the sources")
    RETENTION = _("See retention and law")
    REPLICATION = _("See the copies")
    JOURNAL = _("See the journal")
    SETTINGS = _("Go to the settings")


@dataclass(frozen=True)
class Text:
    """`what` is wrong (`many`: for several; `bare`: of no named subject), `why` it matters, what `todo`."""

    what: str
    why: str
    todo: str
    page: Page | None = None
    many: str = ""
    bare: str = ""
    by: Right | None = None
    """Who may do it on the page; anybody can where None. Others are told whom to tell."""


TELL = _("This is for whoever maintains the box: tell them.")

_CALL = _("Call whoever maintains the box and read them the technical words below.")

_RECORDING = {
    Trouble.NOT_SET_UP: Text(
        _("The box is not set up yet"),
        _("Until then nothing is recorded."),
        _("Finish the guided set-up: it takes about five minutes."),
    ),
    Trouble.NO_SOURCE: Text(
        _("Nothing to record has been connected yet"),
        _("The box is ready, but nobody sends it anything, so nothing is recorded."),
        _(
            "Choose the network port that receives the copy of the traffic, or "
            "declare an access point or gateway."
        ),
        Page.SOURCES,
        by=Right.CHANGE_SOURCES,
    ),
    Trouble.NOT_RECORDING: Text(
        _("The traffic on %(subject)s is not being recorded"),
        _("What passes meanwhile is lost: it cannot be recorded afterwards."),
        _("Restart the box. If this is still here after five minutes, call whoever maintains it."),
        Page.SOURCES,
        bare=_("Traffic is not being recorded"),
    ),
    Trouble.NOT_LISTENING: Text(
        _("The box does not listen to its access points and gateways"),
        _("What they report meanwhile is lost."),
        _("Restart the box. If this is still here after five minutes, call whoever maintains it."),
        Page.SOURCES,
    ),
    Trouble.RECORDER_DIED: Text(
        _("The recording on %(subject)s stopped unexpectedly"),
        _("What passes meanwhile is lost: it cannot be recorded afterwards."),
        _(
            "It should start again by itself within a minute. If not, restart the "
            "box, then call whoever maintains it."
        ),
        Page.SOURCES,
        bare=_("A recording stopped unexpectedly"),
    ),
    Trouble.RECORDER_STUCK: Text(
        _("The recording on %(subject)s does not move any more"),
        _("What passes meanwhile may be lost."),
        _("Restart the box. If this is still here after five minutes, call whoever maintains it."),
        Page.SOURCES,
        bare=_("A recording does not move any more"),
    ),
    Trouble.LINK_DOWN: Text(
        _("The network cable on %(subject)s is unplugged or dead"),
        _("Without it the box sees no traffic and records nothing of it."),
        _("Check that the cable is plugged in at both ends, and that the switch is switched on."),
        Page.SOURCES,
        bare=_("A network cable of the box is unplugged or dead"),
    ),
    Trouble.NOTHING_ARRIVES: Text(
        _("Nothing arrives on %(subject)s, unlike usual"),
        _("Either nobody is using the Wi-Fi, or the switch no longer copies the traffic to the box."),
        _(
            "Connect a phone to the Wi-Fi and open a web page. If this stays, have "
            "the switch's mirror port checked."
        ),
        Page.SOURCES,
        bare=_("No traffic arrives at the box, unlike usual"),
    ),
    Trouble.PACKETS_LOST: Text(
        _("Part of the traffic on %(subject)s was missed"),
        _("The records of that time have holes; how much was missed is written down with them."),
        _(
            "If it happens again, tell whoever maintains the box: the line may be "
            "busier than the box can bear."
        ),
        Page.SOURCES,
        bare=_("Part of what the box was sent was missed"),
    ),
    Trouble.CAN_SEND: Text(
        _("The recording port %(subject)s could send into your network"),
        _("It is meant to listen only; as it is set now, it could disturb the network."),
        _CALL,
        Page.SETTINGS,
        bare=_("A recording port could send into your network"),
    ),
}

_FEEDS = {
    Trouble.SOURCE_SILENT: Text(
        _("%(subject)s has fallen silent"),
        _("It usually reports more often than this. What happens there meanwhile is not recorded."),
        _("Check that it has power and network. If it was replaced or reset, it has to be set up again."),
        Page.SOURCES,
        bare=_("A source has fallen silent"),
    ),
    Trouble.ACCESS_POINT_SILENT: Text(
        _("The access point %(subject)s has fallen silent"),
        _("Who connects through it is not recorded meanwhile."),
        _(
            "Check that its light is on and its cable plugged in. If it was removed on "
            "purpose, remove it from the sources."
        ),
        Page.SOURCES,
        bare=_("An access point has fallen silent"),
    ),
    Trouble.SENDERS_WAIT: Text(
        _("%(num)s unknown device is trying to report to the box"),
        _("What it sends is kept apart and is not recorded until somebody says that it belongs here."),
        _("Accept it if you know it; otherwise leave it where it is."),
        Page.SOURCES,
        many=_("%(num)s unknown devices are trying to report to the box"),
        by=Right.CHANGE_SOURCES,
    ),
}

_KEEPING = {
    Trouble.DISK_READ_ONLY: Text(
        _("The disk refuses to be written to"),
        _("Nothing can be recorded. This often means that the disk is dying."),
        _("Call whoever maintains the box today: the disk may have to be replaced."),
    ),
    Trouble.DISK_FULL: Text(
        _("The disk is full"),
        _("Nothing more can be recorded."),
        _(
            "Call whoever maintains the box today: it needs a larger disk. Records "
            "are never deleted before their day."
        ),
    ),
    Trouble.DISK_FILLS: Text(
        _("The disk will be full in %(num)s day"),
        _("Then nothing more could be recorded, because nothing may be deleted before its legal day."),
        _("Have a larger disk put in before then."),
        many=_("The disk will be full in %(num)s days"),
    ),
    Trouble.CHAIN_BROKEN: Text(
        _("The seals of the records do not fit together"),
        _("Records may have been altered or damaged, so they might not count as proof."),
        _("Change nothing on the box and call whoever maintains it."),
        Page.RETENTION,
    ),
    Trouble.AUDIT_BROKEN: Text(
        _("The journal of privileged actions has been altered or damaged"),
        _("It may no longer prove who did what on this box."),
        _("Change nothing on the box and call whoever maintains it."),
        Page.JOURNAL,
    ),
    Trouble.JOURNALS_WAIT: Text(
        _("Records of an earlier interruption still wait to be filed"),
        _("They are safe and encrypted, but not sealed yet."),
        _("Nothing, if it is gone by tomorrow. Otherwise call whoever maintains the box."),
    ),
    Trouble.DESTRUCTION_UNFINISHED: Text(
        _("The destruction of an expired day was interrupted"),
        _("The law asks for records to be erased on their day."),
        _(
            "It goes on by itself within the hour. If this stays until tomorrow, "
            "call whoever maintains the box."
        ),
        Page.RETENTION,
    ),
    Trouble.DESTRUCTION_LATE: Text(
        _("Records are past their term and still there"),
        _("Keeping them longer than the law allows can be punished."),
        _("Look at the box's date and time first; then call whoever maintains it."),
        Page.RETENTION,
    ),
    Trouble.CLOCK_DOUBTED: Text(
        _("The box does not trust its clock"),
        _("Records need the right time, and nothing is destroyed until the time is certain."),
        _("Call whoever maintains the box: somebody has to confirm the time."),
        Page.RETENTION,
    ),
    Trouble.CLOCK_UNSYNCHRONISED: Text(
        _("Nothing keeps the clock of the box right"),
        _("Records need the right time, and a clock that is left alone drifts."),
        _("Check that the box reaches a time server, or call whoever maintains it."),
    ),
}

_COPIES = {
    Trouble.NO_CENTRAL: Text(
        _("The records exist in one place only"),
        _("If the box burns or is stolen, they are gone."),
        _("Connect the box to a central, with the code its operator gives you."),
        Page.REPLICATION,
        by=Right.CHANGE_REPLICATION,
    ),
    Trouble.ONE_CENTRAL: Text(
        _("There is only one copy outside the box"),
        _("A second one, elsewhere, would survive the loss of the first."),
        _("Ask your operator for a second central when you can."),
        Page.REPLICATION,
        by=Right.CHANGE_REPLICATION,
    ),
    Trouble.CENTRAL_NEGLECTED: Text(
        _("Nothing has been copied to %(subject)s for more than an hour"),
        _("The records are safe on the box, but their latest part exists only here."),
        _("Check the site's internet connection. If it works, call the operator of the central."),
        Page.REPLICATION,
        bare=_("Nothing has been copied to a central for more than an hour"),
    ),
    Trouble.CENTRAL_STUCK: Text(
        _("%(subject)s no longer accepts copies"),
        _("The records are safe on the box, but their latest part exists only here."),
        _("Call the operator of the central and read them the technical words below."),
        Page.REPLICATION,
        bare=_("A central no longer accepts copies"),
    ),
}

_LAW = {
    Trouble.BASIS_LAPSES: Text(
        _("A legal basis for keeping records ends in %(num)s day"),
        _("It is usually renewed. Without it, part of what is recorded may no longer be kept."),
        _("When the new text is published, confirm it on the page of the law; in doubt ask your lawyer."),
        Page.RETENTION,
        many=_("A legal basis for keeping records ends in %(num)s days"),
        by=Right.CONFIRM_BASIS,
    ),
    Trouble.BASIS_LAPSED: Text(
        _("A legal basis for keeping records has ended and was not confirmed again"),
        _("The box is set to go on all the same. If the text was not renewed, part of it should stop."),
        _("Look whether the text was renewed and confirm it, or have that part stopped."),
        Page.RETENTION,
        by=Right.CONFIRM_BASIS,
    ),
    Trouble.VAULT_STOPPED: Text(
        _("Part of the recording is stopped: %(subject)s"),
        _("Its legal basis has ended, and you chose that it stops then."),
        _("Confirm the new text as soon as it is published: recording then starts again."),
        Page.RETENTION,
        bare=_("Part of the recording is stopped"),
        by=Right.CONFIRM_BASIS,
    ),
}

_REST = {
    Trouble.SETTINGS_BROKEN: Text(
        _("The settings of the box cannot be read"),
        _("The box may not record all that it should."),
        _CALL,
    ),
    Trouble.ALARM: Text(
        _("Part of the box reports a problem"),
        _("It says so in its own, technical words, below."),
        _CALL,
    ),
}

TEXTS: dict[Trouble, Text] = {**_RECORDING, **_FEEDS, **_KEEPING, **_COPIES, **_LAW, **_REST}
