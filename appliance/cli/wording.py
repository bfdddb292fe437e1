"""Numbers as a person reads them, and what others wrote as a terminal bears it."""


def several(count: int, one: str, more: str = "") -> str:
    """`1 packet`, `2,000 packets`; `more` where an s does not make the plural."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def printable(text: str) -> str:
    """Text that somebody else wrote, line breaks kept: what could steer a terminal is shown as an escape.

    Printable letters of every script stay as they are; so do spaces.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one == "\n" or one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def on_one_line(text: str) -> str:
    """As `printable`, of a name or value that must not look like more than one line."""
    return printable(text).replace("\n", "\\n")
