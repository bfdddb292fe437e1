"""The catalogue of a central, in SQLite or PostgreSQL: which sites, which objects, which receipts, what happened.

No model is bound to a database: two centrals are open at once when they are compared. Every query is executed
on the database it is given: `Site.select().where(...).execute(database)`.
"""

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    CompositeKey,
    Database,
    DateField,
    ForeignKeyField,
    IntegerField,
    Model,
    SchemaManager,
    TextField,
)

SCHEMA = 1


class About(Model):
    """One row a fact about the catalogue itself: `schema`, `central`."""

    key = CharField(32, primary_key=True)
    value = TextField()


class Site(Model):
    """A box that may send. `receipts` counts those given, `receipts_head` is the hash of the last."""

    id = BigAutoField()
    fingerprint = CharField(64, unique=True)
    public_key = CharField(64)
    name = TextField()
    terms = TextField()
    """JSON: years by vault, as contracted; never less than the law's."""
    enrolled_at_ns = BigIntegerField()
    state = CharField(16, default="enrolled")
    """enrolled, then destroyed at the end of the contract."""
    receipts = BigIntegerField(default=0)
    receipts_head = CharField(64, default="0" * 64)
    heard_at_ns = BigIntegerField(null=True)


class Code(Model):
    """A one-time code that was handed out: only its secret's hash is kept."""

    secret_hash = CharField(64, primary_key=True)
    secret = BlobField(null=True)
    """What its proof is checked with; emptied when it was used or has lapsed."""
    site_name = TextField()
    terms = TextField()
    expires_at_ns = BigIntegerField()
    used_by = CharField(64, null=True)


class Stored(Model):
    """An object for which a receipt was given. The receipt's bytes follow from this row and central's key."""

    site = ForeignKeyField(Site, backref="objects", index=False)
    sequence = BigIntegerField()
    name = TextField()
    kind = CharField(16)
    vault = CharField(16, null=True)
    day = DateField(null=True)
    key_id = CharField(16, null=True)
    sha256 = BlobField()
    size_bytes = BigIntegerField()
    received_at_ns = BigIntegerField()
    previous = BlobField()
    claim_signature = BlobField()
    state = CharField(16, default="kept")
    """kept; replaced (a journal, by a segment); destroyed (with its day, or at the contract's end)."""

    class Meta:
        primary_key = CompositeKey("site", "sequence")
        indexes = ((("site", "name"), True), (("site", "day", "vault"), False))


class Line(Model):
    """A line of a site's chain. `branch` of those that follow from one another: lines of equal seq are a fork."""

    site = ForeignKeyField(Site, index=False)
    hash = CharField(64)
    seq = BigIntegerField()
    prev = CharField(64)
    kind = CharField(24)

    class Meta:
        primary_key = CompositeKey("site", "hash")
        indexes = ((("site", "seq"), False),)


class Fixed(Model):
    """A file that a line of the chain fixes, and so what may be stored under its name."""

    site = ForeignKeyField(Site, index=False)
    name = TextField()
    sha256 = BlobField()
    size_bytes = BigIntegerField()
    line = CharField(64)

    class Meta:
        primary_key = CompositeKey("site", "name", "line")


class Replacement(Model):
    """A journal file that a sealed segment makes needless. It goes when every file of that seal is stored."""

    site = ForeignKeyField(Site, index=False)
    journal = TextField()
    """The file's name, without folder."""
    line = CharField(64)

    class Meta:
        primary_key = CompositeKey("site", "journal", "line")


class Key(Model):
    """A day key whose envelope is, or was, in custody here."""

    site = ForeignKeyField(Site, index=False)
    key_id = CharField(16)
    vault = CharField(16)
    day = DateField()
    state = CharField(16, default="kept")
    """kept, ordered, destroyed."""

    class Meta:
        primary_key = CompositeKey("site", "key_id")
        indexes = ((("state", "day"), False),)


class Hold(Model):
    """A preservation order: the envelopes of these days stay until its end."""

    id = BigAutoField()
    site = ForeignKeyField(Site, index=False)
    reference = TextField()
    vaults = TextField()
    """Names, separated by spaces."""
    first_day = DateField()
    last_day = DateField()
    until = DateField()
    placed_by = CharField(16)
    """box (a line of its chain) or central."""
    ended_at_ns = BigIntegerField(null=True)

    class Meta:
        indexes = ((("site", "reference"), True),)


class Event(Model):
    """A line of central's own ledger, signed and chained: what happened, so that it can be shown later."""

    seq = BigIntegerField(primary_key=True)
    at_ns = BigIntegerField()
    kind = CharField(32)
    site = CharField(64, default="")
    once = CharField(160, null=True, unique=True)
    """Two processes that notice the same thing write it once."""
    line = TextField()
    """Canonical JSON with `seq`, `prev`, `at`, `kind`, the kind's fields and `sig`; `prev` is the hash of the line before."""


class Tally(Model):
    """Small numbers by name: requests refused by reason, a day each."""

    day = DateField()
    what = CharField(64)
    count = IntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("day", "what")


MODELS: tuple[type[Model], ...] = (
    About, Site, Code, Stored, Line, Fixed, Replacement, Key, Hold, Event, Tally,
)  # fmt: skip


def create(database: Database) -> None:
    """Make every table that is not there."""
    for model in MODELS:
        SchemaManager(model, database=database).create_all()
