"""What to set on one make of device, with the box's own address in it."""

from appliance.control.messages import AskSources, Sources
from webui.guides import GUIDES, guide_of
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Shown
from webui.wording import said

_ANY_BOX = "192.0.2.10"
"""Stands for an address that the box does not know (RFC 5737)."""


def show(asked: Asked) -> Reply:
    """The steps of one make. Raises Refusal where there is no guide for it."""
    guide = guide_of(asked.query.get("device", ""))
    if guide is None:
        raise Refusal(said(asked.language, "There is no guide for this device."), status=404)
    sources = asked.tell(AskSources(), Sources)
    box = next(iter(sources.addresses), _ANY_BOX)
    steps = [
        (said(asked.language, step.said).replace("{box}", box), step.pasted.replace("{box}", box))
        for step in guide.steps
    ]
    return Shown(
        "guide.html",
        {"guide": guide, "guides": GUIDES, "steps": steps, "box": box, "known": bool(sources.addresses)},
    )


ROUTES: tuple[Route, ...] = (Route("GET", "/sources/guide", Right.SEE_SOURCES, show, menu="sources"),)
