"""Numbers as a person reads them."""


def several(count: int, one: str, more: str = "") -> str:
    """`1 packet`, `2,000 packets`; `more` where an s does not make the plural."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
