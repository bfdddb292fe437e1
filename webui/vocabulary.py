"""What the box's closed words are called on the page, in English; French stands in the catalogue. Pure.

A word that is not known here is shown as it is: an older page must bear a newer box.
"""

from collections.abc import Mapping
from types import MappingProxyType

from appliance.control.steps import Step
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


def _words(**words: str) -> Mapping[str, str]:
    return MappingProxyType(words)


VAULTS = _words(
    source=_("Devices and addresses"),
    traffic=_("Connections"),
    identity=_("Identities"),
)

VAULT_CONTENTS = _words(
    source=_(
        "which device used which address, on which access point, from when until when, and its account name "
        "where it signs in with one"
    ),
    traffic=_(
        "date, time, duration and volume of each connection, and the address of the service contacted; never "
        "the content nor the name of a page or site"
    ),
    identity=_("what somebody gave when signing up"),
)

KINDS = _words(
    netflow=_("NetFlow or IPFIX (connections)"),
    sflow=_("sFlow (statistics only)"),
    syslog=_("syslog (log lines)"),
    radius=_("RADIUS accounting (user sessions)"),
    cloudtrax=_("presence reports (CloudTrax)"),
)

PORTS = _words(
    netflow=_("NetFlow or IPFIX, over UDP"),
    ipfix_tcp=_("IPFIX, over TCP"),
    sflow=_("sFlow, over UDP"),
    syslog_udp=_("syslog, over UDP"),
    syslog_tcp=_("syslog, over TCP"),
    syslog_tls=_("syslog, encrypted (TLS)"),
    radius=_("RADIUS accounting, over UDP"),
    cloudtrax=_("presence reports, over HTTPS"),
)

LOST = _words(
    kernel=_("packets that the box had no time to take"),
    interface=_("packets that the network card dropped"),
    ring=_("packets on their way when the interface or the recorder stopped"),
    storage=_("packets that could not be written, because the disk refused"),
    unwritten=_("packets not yet written when the recorder stopped"),
    sequence=_("messages that the device numbered and that never arrived"),
    sampler=_("samples that the device itself missed"),
    quarantined=_("messages of unknown senders that nobody accepted in time"),
    socket=_("messages that arrived faster than they could be taken"),
    overload=_("messages that arrived faster than they could be read"),
)

REFUSED = _words(
    not_ip=_("not internet traffic"),
    empty=_("empty packets"),
    cut_short=_("packets that arrived incomplete"),
    content=_("lines naming a visited page or site: refused, the law forbids keeping them"),
    not_understood=_("lines of an unknown form"),
    nothing_to_keep=_("lines that say nothing that is to be kept"),
    undated=_("lines without a date"),
    sampled=_("samples: they count in statistics only"),
    no_template=_("flows whose description has not come yet"),
    no_addresses=_("flows that do not say between whom"),
    bad_signature=_("messages with a wrong secret"),
    bad_certificate=_("messages without the expected certificate"),
    bad_message=_("damaged messages"),
    not_associated=_("devices that only passed by"),
    tunnel_fragment=_("later pieces of a message that is already counted"),
)

NOTED = _words(
    duplicate=_("packets seen twice and counted once"),
    device_clock=_("messages of a device whose clock is wrong: dated when they arrived"),
    content_stripped=_("fields naming a visited page or site: left out"),
    interrupted=_("recorder stopped without warning"),
    interface_down_s=_("seconds without a link"),
    undeclared_access_points=_("messages for access points that nobody declared"),
    behind_router=_("connections seen behind a router: the device itself is not visible"),
    sequence_restarted=_("restarts of the device"),
    clock_stepped_back=_("times the box's clock was put back"),
    clock_stepped_forward=_("times the box's clock was put forward"),
    storage_refused=_("times the disk refused"),
)

ROLES = MappingProxyType(
    {
        "operator": _("Operator"),
        "client-technical": _("Technical contact"),
        "client-management": _("Management"),
        "site-manager": _("Site manager"),
        "auditor": _("Auditor"),
        "custodian": _("Custodian"),
        "system": _("user of the machine"),
    }
)

GRANTED = MappingProxyType(
    {
        "see-connected": _("See connected devices"),
        "see-replication": _("See replication"),
        "see-audit": _("See the journal"),
        "change-sources": _("Declare and forget sources"),
        "change-holds": _("Place and end holds"),
    }
)
"""Rights that may be granted to somebody beyond his role."""

STEPS: Mapping[str, str] = MappingProxyType(
    {
        Step.SET_UP: _("Box set up"),
        Step.CHANGE_BOX: _("Settings of the recording changed"),
        Step.DECLARE_SOURCE: _("Source declared"),
        Step.FORGET_SOURCE: _("Source removed"),
        Step.ENROL_CENTRAL: _("Central connected"),
        Step.PLACE_HOLD: _("Hold placed"),
        Step.END_HOLD: _("Hold ended"),
        Step.CONFIRM_BASIS: _("Legal basis confirmed"),
        Step.SET_LAPSE: _("Rule for an ended legal basis changed"),
        Step.APPLY_TERM: _("Records past their term destroyed"),
        Step.END_CONTRACT: _("End of contract"),
        Step.SEARCH_RECORDS: _("Records searched"),
        Step.SEARCH_BINDINGS: _("Devices and addresses searched"),
        Step.GIVE_EVERYTHING: _("All records handed to the client"),
        Step.SIGN_IN: _("Signed in"),
        Step.SIGN_IN_REFUSED: _("Sign-in refused"),
        Step.SIGN_IN_SLOWED: _("Too many sign-in attempts: made to wait"),
        Step.SIGN_OUT: _("Signed out"),
        Step.END_SESSIONS: _("Sessions ended"),
        Step.ACCESS_REFUSED: _("Access refused"),
        Step.CHANGE_PASSWORD: _("Password changed"),
        Step.RESET_USER: _("Access of a user reset"),
        Step.SET_FACTOR: _("Second factor set"),
        Step.REMOVE_FACTOR: _("Second factor removed"),
        Step.USE_RECOVERY_CODE: _("Recovery code used"),
        Step.MAKE_RECOVERY_CODES: _("Recovery codes made"),
        Step.ADD_USER: _("User added"),
        Step.CHANGE_USER: _("User changed"),
        Step.REMOVE_USER: _("User removed"),
        Step.CHANGE_RULES: _("Rules for passwords and sessions changed"),
        Step.MAKE_CUSTODIANS: _("Custodians' keys made"),
        Step.CHANGE_SETTINGS: _("Settings changed"),
        Step.SEE_DEVICES: _("Connected devices looked at"),
        Step.SEE_JOURNAL: _("Journal looked at"),
        Step.PRINT_DOCUMENT: _("Document printed"),
        Step.BOOK_REPAIRED: _("Journal repaired after a power cut"),
        Step.BOOK_CUT: _("Journal found shortened"),
        Step.BOOK_SHORTENED: _("Old lines of the journal deleted"),
    }
)

DETAILS = _words(
    networks=_("client networks"),
    network=_("network"),
    interfaces=_("interfaces"),
    access_points=_("access points"),
    addresses=_("addresses"),
    mac=_("MAC address"),
    kinds=_("may send"),
    secret=_("secret"),
    certificate=_("certificate"),
    replaces=_("replaces the former one"),
    fingerprint=_("fingerprint"),
    vaults=_("what"),
    first_day=_("first day"),
    last_day=_("last day"),
    until=_("until"),
    text=_("text"),
    lapse=_("rule"),
    role=_("role"),
    extras=_("further rights"),
    days=_("days"),
    why=_("why"),
    what=_("wrong"),
    line=_("of the line"),
    error=_("because"),
)
"""What the details of a line of the journal are called."""

SUBJECTS = _words(
    places=_("names of places"),
    groups=_("groups of places"),
    contacts=_("contacts"),
    custodians=_("custodians"),
    branding=_("look of the page"),
    notice=_("information notice"),
    register=_("GDPR register entry"),
    journal=_("journal"),
    rotation=_("age of passwords"),
    **VAULTS,
)
"""Subjects of lines that are words of ours, and no name that somebody gave."""

BASES = MappingProxyType(
    {
        "traffic-injunction": _("Connections: the decree of the year"),
        "source-identifiers": _("Devices and addresses"),
        "identity-civil": _("Identities: who signed up"),
        "identity-account": _("Identities: contract and account"),
    }
)

LAPSES = _words(
    alert=_("Go on recording, and say so on the overview"),
    stop=_("Record no more of it until a basis is confirmed"),
)

PROOFS = _words(password=_("password"), code=_("code"))
"""What was wrong at a sign-in that was refused."""

MISHAPS = _words(
    UsageError=_("it cannot be meant so"),
    StorageError=_("the disk refused"),
    HomeError=_("the home of the box cannot be used"),
    CustodyError=_("too few custodians, or the wrong ones"),
    ReplicationError=_("the central refused"),
    DestroyedError=_("the records had been destroyed"),
    KeyboardInterrupt=_("it was broken off"),
)
"""Why a step failed, by the kind of the error."""

ENDED = _words(begun=_("begun"), done=_("done"), failed=_("failed"), refused=_("refused"))

BASIS_STATES = MappingProxyType(
    {
        "in-force": _("in force"),
        "lapsing": _("ends soon"),
        "lapsed": _("has ended"),
        "unlimited": _("in force, without an end date"),
    }
)

HOLD_STATES = _words(holding=_("holding"), ended=_("ended"), lifted=_("lifted"))


def word(language: str, words: Mapping[str, str], key: str) -> str:
    """What a closed word is called; the word itself where it is not known."""
    known = words.get(key)
    return said(language, known) if known else key


def source_name(language: str, source: str) -> str:
    """`interface:eth1` and the like as a person calls it."""
    kind, _colon, name = source.partition(":")
    if kind == "feeds":
        return said(language, "Reception from access points and gateways")
    if kind == "inventory":
        return said(language, "Inventory of devices")
    if kind == "interface":
        return said(language, "Mirror %(name)s", name=name)
    if kind in ("file", "fed", "fed-file"):
        return said(language, "File %(name)s", name=name)
    return name or source
