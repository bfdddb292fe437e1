"""The accounts' database: one SQLite file in the page's own folder.

No model is bound to a database: `User.select().execute(store.database)`. Secrets of sessions, devices and
recovery codes are kept as SHA-256 (each has 80 random bits at least), passwords as argon2id. The second
factor's secret must be known to check a code: whoever reads this file could make codes, but not passwords.
"""

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    ForeignKeyField,
    Model,
    TextField,
)

SCHEMA = "1"


class Rule(Model):
    """One row a fact about all accounts: `schema`, `client` (whose box it is), `rotation_days`."""

    key = CharField(32, primary_key=True)
    value = TextField()


class User(Model):
    """An account. `key` is its name as names are compared; `clients` and `extras` are JSON lists."""

    id = AutoField()
    key = CharField(256, unique=True)
    name = CharField(64)
    role = CharField(32)
    clients = TextField(null=True)
    extras = TextField(default="[]")
    password = TextField(null=True)
    password_set_ns = BigIntegerField(default=0)
    must_renew = BooleanField(default=True)
    """The password was given by somebody else: it opens nothing but the page for another."""
    factor = TextField(null=True)
    factor_step = BigIntegerField(default=0)
    """The last time step of which a code was taken: it and those before are not taken again."""
    made_ns = BigIntegerField()
    signed_in_ns = BigIntegerField(null=True)


class RecoveryCode(Model):
    """A code that stands for the second factor once."""

    number = CharField(64)
    user = ForeignKeyField(User, on_delete="CASCADE")


class Session(Model):
    """A browser that is signed in, or on the way to it. `number` is the SHA-256 of its cookie."""

    number = CharField(64, primary_key=True)
    user = ForeignKeyField(User, on_delete="CASCADE")
    stage = CharField(16)
    address = CharField(64)
    agent = CharField(200)
    begun_ns = BigIntegerField()
    used_ns = BigIntegerField()
    wrong_codes = BigIntegerField(default=0)


class Device(Model):
    """A browser from which this user has signed in: strangers' guesses do not make it wait.

    Several users may share one, as at a reception: a row for each.
    """

    number = CharField(64)
    user = ForeignKeyField(User, on_delete="CASCADE")
    used_ns = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("number", "user")


TABLES = (Rule, User, RecoveryCode, Session, Device)
