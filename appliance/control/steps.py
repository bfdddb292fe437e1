"""The closed set of steps that the audit chain knows, and how a step can have ended. Pure.

A word is never given another meaning and never taken away: old lines must stay readable.
"""

from enum import StrEnum


class Step(StrEnum):
    """What somebody did that not everybody may."""

    # The box:
    BOX_SET_UP = "box-set-up"
    BOX_CHANGED = "box-changed"
    SOURCE_DECLARED = "source-declared"
    SOURCE_FORGOTTEN = "source-forgotten"
    CENTRAL_ENROLLED = "central-enrolled"
    HOLD_PLACED = "hold-placed"
    HOLD_ENDED = "hold-ended"
    BASIS_CONFIRMED = "basis-confirmed"
    LAPSE_SET = "lapse-set"
    TERM_APPLIED = "term-applied"
    """'greffier retention', the clock's time or one that a person stated."""
    CONTRACT_ENDED = "contract-ended"
    # Records, by custodians:
    RECORDS_SEARCHED = "records-searched"
    BINDINGS_SEARCHED = "bindings-searched"
    EVERYTHING_HANDED_OVER = "everything-handed-over"
    """'greffier reversibility': all records, to the client."""
    # The page:
    SIGNED_IN = "signed-in"
    SIGN_IN_REFUSED = "sign-in-refused"
    SIGN_IN_SLOWED = "sign-in-slowed"
    """Too many wrong passwords: `subject` is the account or the address that has to wait."""
    SIGNED_OUT = "signed-out"
    SESSIONS_ENDED = "sessions-ended"
    ACCESS_REFUSED = "access-refused"
    """Somebody signed in asked for what he may not see or do."""
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 - a word
    PASSWORD_RESET = "password-reset"  # noqa: S105 - a word
    FACTOR_SET = "factor-set"
    FACTOR_REMOVED = "factor-removed"
    RECOVERY_CODE_USED = "recovery-code-used"
    RECOVERY_CODES_MADE = "recovery-codes-made"
    USER_ADDED = "user-added"
    USER_CHANGED = "user-changed"
    USER_REMOVED = "user-removed"
    CUSTODIANS_MADE = "custodians-made"
    SETTINGS_CHANGED = "settings-changed"
    DEVICES_SEEN = "devices-seen"
    """Somebody looked at who is connected now."""
    JOURNAL_SEEN = "journal-seen"
    DOCUMENT_PRINTED = "document-printed"
    # The book itself, said by the box:
    BOOK_REPAIRED = "book-repaired"
    """It ended in a torn line, which was cut off."""
    BOOK_CUT = "book-cut"
    """It was found shorter than it had been, or gone."""
    BOOK_SHORTENED = "book-shortened"
    """Lines past their time were let go, as the law wants of logs of an administration."""


class Ended(StrEnum):
    """How a step ended.

    A change is written down before it is made: `done` stands for it unless a line `failed` follows.
    """

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


PAGE_STEPS = frozenset(
    {
        Step.SIGNED_IN, Step.SIGN_IN_REFUSED, Step.SIGN_IN_SLOWED, Step.SIGNED_OUT, Step.SESSIONS_ENDED,
        Step.ACCESS_REFUSED, Step.PASSWORD_CHANGED, Step.PASSWORD_RESET, Step.FACTOR_SET, Step.FACTOR_REMOVED,
        Step.RECOVERY_CODE_USED, Step.RECOVERY_CODES_MADE, Step.USER_ADDED, Step.USER_CHANGED,
        Step.USER_REMOVED, Step.CUSTODIANS_MADE, Step.SETTINGS_CHANGED, Step.DEVICES_SEEN, Step.JOURNAL_SEEN,
        Step.DOCUMENT_PRINTED,
    }
)  # fmt: skip
"""What the page does by itself and may have noted. The rest the keeper notes as it does it."""
