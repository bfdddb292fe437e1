"""The catalogue of a central, in SQLite or PostgreSQL: sites, objects, receipts, what happened.

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
NO_EVENT = f"0:{'0' * 64}"
"""The ledger's head before its first line."""


class About(Model):
    """One row a fact about the catalogue itself: `schema`, `central`, SEQ:HASH of the `ledger`'s end."""

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
    """enrolled, then ending at the end of the contract, until nothing is left and the row goes too."""
    receipts = BigIntegerField(default=0)
    receipts_head = CharField(64, default="0" * 64)
    heard_at_ns = BigIntegerField(null=True)


class Code(Model):
    """A one-time code that was handed out. `secret_id` is how a request names it without telling it."""

    secret_id = CharField(16, primary_key=True)
    secret = CharField(20, null=True)
    """Hexadecimal: what a proof is checked with; emptied when it was used or has lapsed."""
    site_name = TextField()
    terms = TextField()
    expires_at_ns = BigIntegerField()
    used_by = CharField(64, null=True)
    """The fingerprint of the site that came with it."""


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


class Erasure(Model):
    """A file of the store that is needed no more. The row goes when the file is gone for certain."""

    path = CharField(255, primary_key=True)
    not_before = DateField(null=True)
    """The day from which a store with locks lets it go."""


class Line(Model):
    """A line of a site's chain. Two that follow from the same one are a fork: the box was rolled back."""

    site = ForeignKeyField(Site, index=False)
    hash = CharField(64)
    seq = BigIntegerField()
    prev = CharField(64)
    kind = CharField(24)
    open_seal = CharField(80, null=True)
    """Of a seal whose last line is still to come: what its lines have in common (vault, run, instant)."""

    class Meta:
        primary_key = CompositeKey("site", "hash")
        indexes = ((("site", "seq"), False),)


class Fixed(Model):
    """A file that a line of the chain fixes, and so what may be stored under its name (an object's)."""

    site = ForeignKeyField(Site, index=False)
    name = TextField()
    sha256 = BlobField()
    size_bytes = BigIntegerField()
    line = CharField(64)
    seal = CharField(64, null=True)
    """Of a segment's file: the last line of its seal, which names the journals that it replaces."""

    class Meta:
        primary_key = CompositeKey("site", "name", "line")
        indexes = ((("site", "line"), False), (("site", "seal"), False))


class Replacement(Model):
    """A journal (an object's name) that a seal makes needless, once every file of the seal is stored."""

    site = ForeignKeyField(Site, index=False)
    journal = TextField()
    line = CharField(64)
    """The last line of the seal."""

    class Meta:
        primary_key = CompositeKey("site", "journal", "line")
        indexes = ((("site", "line"), False),)


class Key(Model):
    """A day key of a site, known from a line of its chain or from its envelope."""

    site = ForeignKeyField(Site, index=False)
    key_id = CharField(16)
    vault = CharField(16)
    day = DateField()
    state = CharField(16, default="kept")
    """announced (a line names it, its envelope has not come), kept (in custody), ordered, destroyed."""

    class Meta:
        primary_key = CompositeKey("site", "key_id")
        indexes = ((("state", "day"), False), (("site", "day", "vault"), False))


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
    once = TextField(null=True, unique=True)
    """Two processes that notice the same thing write it once."""
    line = TextField()
    """Canonical JSON; central.ledger says of what."""

    class Meta:
        indexes = ((("kind", "site", "seq"), False),)


class Tally(Model):
    """Small numbers by name: requests refused by reason, a day each."""

    day = DateField()
    what = CharField(64)
    count = IntegerField(default=0)

    class Meta:
        primary_key = CompositeKey("day", "what")


MODELS: tuple[type[Model], ...] = (
    About, Site, Code, Stored, Erasure, Line, Fixed, Replacement, Key, Hold, Event, Tally,
)  # fmt: skip


def create(database: Database) -> None:
    """Make every table that is not there, with the two rows that must be."""
    for model in MODELS:
        SchemaManager(model, database=database).create_all()
    facts = [{"key": "schema", "value": str(SCHEMA)}, {"key": "ledger", "value": NO_EVENT}]
    About.insert_many(facts).on_conflict_ignore().execute(database)
