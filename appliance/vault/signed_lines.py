"""Checks a line of a chain that the box signs, of seals or of steps: form, number, predecessor, signature."""

from collections.abc import Callable
from typing import Any, TypeVar

from appliance.vault import canonical, signing

Line = TypeVar("Line")


def check(
    number: int,
    line: bytes,
    previous: str,
    box: str,
    purpose: bytes,
    parse: Callable[[dict[str, Any], bytes], Line],
) -> tuple[Line | None, list[str]]:
    """What a line (with its newline) says, None where it cannot be read, and what is wrong with it.

    `previous` is the hash of the line before, `box` the public key, `parse` raises ValueError or TypeError.
    """
    try:
        fields = canonical.decode(line[:-1])
    except ValueError as error:
        return None, [str(error)]
    wrong = []
    if fields.get("seq") != number:
        wrong.append(f"has the number {fields.get('seq')}: lines were added, taken away or reordered")
    if fields.get("prev") != previous:
        wrong.append("does not follow from the line before it")
    signed = {key: value for key, value in fields.items() if key != "sig"}
    signature = fields.get("sig")
    if not isinstance(signature, str) or not signing.holds(box, purpose, canonical.encode(signed), signature):
        wrong.append("is not signed by this box")
    try:
        return parse(fields, line), wrong
    except (ValueError, TypeError) as error:
        return None, [*wrong, str(error)]
