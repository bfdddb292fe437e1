"""What a browser calls itself, as a person calls it. Pure; what is not known stands as it is, cut short."""

import re

_BROWSERS = (
    ("Edge", r"\bEdg(e|A|iOS)?/"),
    ("Opera", r"\bOPR/"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("Firefox", r"\b(Firefox|FxiOS)/"),
    ("Chrome", r"\b(Chrome|CriOS)/"),
    ("Safari", r"\bVersion/.* Safari/"),
)
_SYSTEMS = (
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("Android", r"\bAndroid\b"),
    ("Windows", r"\bWindows\b"),
    ("Chromebook", r"\bCrOS\b"),
    ("Mac", r"\bMacintosh\b"),
    ("Linux", r"\bLinux\b"),
)
"""In this order: several of them name others, too, to be served as those are."""

_LONGEST = 60


def named(agent: str) -> str:
    """`Chrome, Linux` of a User-Agent (RFC 9110, 10.1.5); "" of an empty one."""
    found = [_first(words, agent) for words in (_BROWSERS, _SYSTEMS)]
    return ", ".join(word for word in found if word) or agent[:_LONGEST]


def _first(words: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((word for word, pattern in words if re.search(pattern, agent)), "")
