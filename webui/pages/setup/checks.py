"""Last screen: everything that can be tested, tested now."""

from appliance.control.messages import AskRetention, AskTests, Retention, Tests
from appliance.control.words import Check, Outcome
from webui.pages.setup.course import address, boot, head, on, tell
from webui.pages.setup.draft import Draft, Screen
from webui.rights import Right
from webui.routing import Asked, Moved, Reply, Route, Shown
from webui.wording import said


def _(text: str) -> str:
    """Marks a text for the catalogues; it is translated when it is shown."""
    return text


HERE = address(Screen.TESTS)

NAMES = {
    Check.HOME: _("The folder of the box"),
    Check.DISK: _("Room on the disk"),
    Check.CLOCK: _("The clock"),
    Check.CHAIN: _("The chain of seals"),
    Check.AUDIT: _("The journal of who did what"),
    Check.CUSTODIANS: _("The custodians' keys"),
    Check.INTERFACE: _("The mirror interface"),
    Check.TRAFFIC: _("Traffic of clients arrives"),
    Check.RECORDING: _("Recording"),
    Check.CENTRALS: _("Copies elsewhere"),
}

TO_DO = {
    Check.HOME: _("The box cannot read its own folder. Look at who owns it."),
    Check.DISK: _("The disk is full or cannot be written. Make room, or take a larger one."),
    Check.CLOCK: _("The time of the box is doubtful. Let it reach a time server."),
    Check.CHAIN: _("What was sealed does not hold together. Run “greffier verify” on the console."),
    Check.AUDIT: _("The journal does not hold together. Run “greffier verify” on the console."),
    Check.CUSTODIANS: _("A custodian's key is not right. Begin the set-up again."),
    Check.INTERFACE: _("The interface is missing or has no link. Look at the cable and at the mirror port."),
    Check.TRAFFIC: _(
        "Traffic arrives, but none of the clients' networks. Correct them on the page “Settings”, or the "
        "mirror port on the switch."
    ),
    Check.RECORDING: _("Nothing is being recorded. Look at the service greffier-capture."),
    Check.CENTRALS: _("A central does not answer. Look at the Internet connection and at the address."),
}

LATER = {
    Check.CLOCK: _("Nothing keeps the clock right yet. Let the box reach a time server."),
    Check.INTERFACE: _("None was chosen: access points and gateways will report instead."),
    Check.TRAFFIC: _(
        "No client was heard yet. That comes as soon as somebody uses the Wi-Fi, if the mirror port is set "
        "and the clients' networks are right."
    ),
    Check.RECORDING: _("Begins as soon as the service starts; the overview will show it."),
    Check.CENTRALS: _("None yet. Add one on the page “Replication”: if the box burns, its copy remains."),
}


UNKNOWN = _("Cannot be known yet.")


def _show(asked: Asked, draft: Draft) -> Reply:
    tested = tell(asked, draft, AskTests(), Tests).tested
    rows = [
        {
            "name": said(asked.language, NAMES[one.check]),
            "outcome": str(one.outcome),
            "advice": _advice(asked.language, one.check, one.outcome),
            "said": one.said if one.outcome is Outcome.FAILED else "",
        }
        for one in tested
    ]
    return Shown(
        "setup_tests.html",
        {
            **head(asked, Screen.TESTS),
            "rows": rows,
            "failed": sum(one.outcome is Outcome.FAILED for one in tested),
            "waiting": sum(one.outcome is Outcome.LATER for one in tested),
            "lapsed_on": _lapsed_on(tell(asked, draft, AskRetention(), Retention)),
        },
    )


def _lapsed_on(retention: Retention) -> str:
    """The last day of a basis that has ended as far as the box knows, YYYY-MM-DD; "" where none has."""
    kept = {one.vault for one in retention.vaults}
    ended = [one for one in retention.bases if one.state == "lapsed" and kept.intersection(one.vaults)]
    return max((one.last_day for one in ended if one.last_day), default="")


def _advice(language: str, check: Check, outcome: Outcome) -> str:
    if outcome is Outcome.FAILED:
        return said(language, TO_DO[check])
    if outcome is Outcome.LATER:
        return said(language, LATER.get(check, UNKNOWN))
    return ""


def _finish(asked: Asked, draft: Draft) -> Reply:
    boot(asked).finish(asked.session)
    goal = "/retention" if asked.form.get("do") == "law" else "/"
    return Moved(goal, said(asked.language, "The box is set up. Sign in with the account that you made."))


ROUTES = (
    Route("GET", HERE, Right.SET_UP, on(Screen.TESTS, _show)),
    Route("POST", HERE, Right.SET_UP, on(Screen.TESTS, _finish)),
)
