"""The names of sources as the chain signs them: who made them can be told by how they begin.

Which names there are, for readers who have no code, stands in vault/FORMAT.md.
"""

INTERFACE = "interface:"
FILE = "file:"
FEED = "feed:"
FED = "fed:"
FED_FILE = "fed-file:"

FEEDS = "feeds"
"""States when feeds were listened to, whoever may have spoken then, and what nobody's source can state."""

INVENTORY = "inventory"


def of_interface(interface: str) -> str:
    """What is recorded live of a mirror."""
    return INTERFACE + interface


def of_file(name: str) -> str:
    """A capture file that was recorded."""
    return FILE + name


def of_feed(label: str) -> str:
    """What a declared source said while it was listened to."""
    return FEED + label


def of_fed(label: str) -> str:
    """What a declared source said, out of files."""
    return FED + label


def of_fed_file(name: str) -> str:
    """What somebody undeclared said in a file."""
    return FED_FILE + name


def is_feed(name: str) -> bool:
    """Whether a source is of feeds, so that what is counted of it are messages, not packets."""
    return name == FEEDS or name.startswith((FEED, FED, FED_FILE))


def is_live(name: str) -> bool:
    """Whether silence between the periods of a source is a gap: that nobody listened then.

    A declared source that says nothing, or may speak no more, leaves none: `feeds` says who listened.
    """
    return name == FEEDS or name.startswith(INTERFACE)


def unit(name: str) -> str:
    """What the counter `packets` of a source counts, as a word for one of them."""
    if name == INVENTORY:
        return "answer"
    return "message" if is_feed(name) else "packet"
