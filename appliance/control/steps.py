"""The closed set of steps that the audit chain knows, and how a step can have ended. Pure.

A word is never given another meaning and never taken away: old lines must stay readable.
"""

from enum import StrEnum


class Step(StrEnum):
    """What somebody did that not everybody may."""

    # The box:
    SET_UP = "set-up"
    CHANGE_BOX = "change-box"
    DECLARE_SOURCE = "declare-source"
    FORGET_SOURCE = "forget-source"
    ENROL_CENTRAL = "enrol-central"
    PLACE_HOLD = "place-hold"
    END_HOLD = "end-hold"
    CONFIRM_BASIS = "confirm-basis"
    SET_LAPSE = "set-lapse"
    APPLY_TERM = "apply-term"
    """'greffier retention', the clock's time or one that a person stated."""
    END_CONTRACT = "end-contract"
    # Records, by custodians:
    SEARCH_RECORDS = "search-records"
    SEARCH_BINDINGS = "search-bindings"
    GIVE_EVERYTHING = "give-everything"
    """'greffier reversibility': all records, to the client."""
    # The page:
    SIGN_IN = "sign-in"
    SIGN_IN_REFUSED = "sign-in-refused"
    SIGN_IN_SLOWED = "sign-in-slowed"
    """Too many wrong passwords: `subject` is the account or the address that has to wait."""
    SIGN_OUT = "sign-out"
    END_SESSIONS = "end-sessions"
    ACCESS_REFUSED = "access-refused"
    """Somebody signed in asked for what he may not see or do."""
    CHANGE_PASSWORD = "change-password"  # noqa: S105 - a word, no password
    RESET_USER = "reset-user"
    SET_FACTOR = "set-factor"
    REMOVE_FACTOR = "remove-factor"
    USE_RECOVERY_CODE = "use-recovery-code"
    MAKE_RECOVERY_CODES = "make-recovery-codes"
    ADD_USER = "add-user"
    CHANGE_USER = "change-user"
    REMOVE_USER = "remove-user"
    CHANGE_RULES = "change-rules"
    """What passwords and sessions have to be like."""
    MAKE_CUSTODIANS = "make-custodians"
    CHANGE_SETTINGS = "change-settings"
    SEE_DEVICES = "see-devices"
    """Somebody looked at who is connected now."""
    SEE_JOURNAL = "see-journal"
    PRINT_DOCUMENT = "print-document"
    # The book itself, said by the box:
    BOOK_REPAIRED = "book-repaired"
    """It ended in a torn line, which was cut off."""
    BOOK_CUT = "book-cut"
    """It was found shorter than it had been, or gone."""
    BOOK_SHORTENED = "book-shortened"
    """Lines past their time were let go, as the law wants of logs of an administration."""


class Ended(StrEnum):
    """How a step stood when its line was written.

    A change is written down before it is made, as begun: it was made unless a line `failed` names that one.
    """

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


PAGE_STEPS = frozenset(
    {
        Step.SIGN_IN, Step.SIGN_IN_REFUSED, Step.SIGN_IN_SLOWED, Step.SIGN_OUT, Step.END_SESSIONS,
        Step.ACCESS_REFUSED, Step.CHANGE_PASSWORD, Step.RESET_USER, Step.SET_FACTOR, Step.REMOVE_FACTOR,
        Step.USE_RECOVERY_CODE, Step.MAKE_RECOVERY_CODES, Step.ADD_USER, Step.CHANGE_USER, Step.REMOVE_USER,
        Step.CHANGE_RULES, Step.MAKE_CUSTODIANS, Step.CHANGE_SETTINGS, Step.SEE_DEVICES, Step.SEE_JOURNAL,
        Step.PRINT_DOCUMENT,
    }
)  # fmt: skip
"""What the page does by itself and may have noted. The rest the keeper notes as it does it."""
