"""Which grammars a text may be for, by their needles: most of them are never looked for.

A needle that holds a rare sign cannot stand in a text without that sign, and a few signs rule out most
needles at once.
"""

from collections.abc import Iterable
from functools import lru_cache

from appliance.feeds.syslog.grammar import Grammar
from appliance.feeds.syslog.registry import GRAMMARS

_SIGNS = ("%", "[", "@", "(", ",", "_", "DHCP", ": ", "User", "NAT:", "events ", "ed ", "src=", "-")


def _fewest(needles: tuple[str, ...]) -> tuple[str, ...]:
    """Without those that hold another one of them."""
    return tuple(each for each in needles if not any(o in each for o in needles if o != each))


_NEEDLES = [
    (grammar, _fewest(grammar.needles)) for grammar in sorted(GRAMMARS, key=lambda grammar: grammar.name)
]


@lru_cache(1 << len(_SIGNS))
def _possible(missing: tuple[str, ...]) -> tuple[tuple[Grammar, tuple[str, ...]], ...]:
    """Grammars, and their needles that hold none of the missing signs."""
    found = []
    for grammar, needles in _NEEDLES:
        left = tuple(each for each in needles if not any(sign in each for sign in missing))
        if left:
            found.append((grammar, left))
    return tuple(found)


def grammars_for(text: str) -> Iterable[Grammar]:
    """Those with a needle in the text, in the order of their names."""
    for grammar, needles in _possible(tuple([sign for sign in _SIGNS if sign not in text])):
        for needle in needles:
            if needle in text:
                yield grammar
                break
