"""One error tree: each error says what happened, what it means and what to do.

The exit code of the command `greffier` is a property of the error, so that a script can tell them apart.
"""


class GreffierError(Exception):
    """Root of every error a user may meet; the message is one sentence a person can act on."""

    exit_code = 3


class UsageError(GreffierError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = 2


class FaultFound(GreffierError):
    """A check was asked for and found a fault in what is kept."""

    exit_code = 1


class HomeError(GreffierError):
    """The box's home is missing, incomplete, already there or not readable by us."""

    exit_code = 4


class CustodyError(GreffierError):
    """Too few custodians, the wrong ones, or a key file that cannot be opened."""

    exit_code = 5


class CaptureError(GreffierError):
    """A capture file or an interface cannot be read at all."""

    exit_code = 6


class StorageError(GreffierError):
    """The disk refused to write; what was not written is stated, recording goes on when it can."""

    exit_code = 7


class DestroyedError(GreffierError):
    """The records asked for have been destroyed after their term; nobody can read them."""

    exit_code = 8


class ListenError(GreffierError):
    """A port cannot be listened to at all."""

    exit_code = 9


class CertificateError(ListenError):
    """A server's certificate or its key is not there, or cannot be used."""


class ReplicationError(GreffierError):
    """A central did not take what was sent to it, or is not the one that this box knows."""

    exit_code = 10


class CentralError(GreffierError):
    """A central's folder, catalogue or store is missing, incomplete or cannot be used."""

    exit_code = 11


class ControlError(GreffierError):
    """The keeper does not answer, or the page and the keeper do not understand one another."""

    exit_code = 12


class DecodeError(GreffierError):
    """Hostile or broken bytes: the only thing a decoder may raise; counted at the loop's edge."""
