"""Stylesheets, scripts and icons, for everybody: they say nothing of the site."""

from webui.assets import assets
from webui.rights import Right
from webui.routing import Asked, Refusal, Reply, Route, Saved
from webui.wording import said


def show(asked: Asked) -> Reply:
    """A file of `static/`. Raises Refusal where there is none."""
    asset = assets().get(asked.path["name"])
    if asset is None:
        raise Refusal(said(asked.language, "There is no such page."), status=404)
    return Saved(asked.path["name"].rpartition("/")[2], asset.content_type, asset.content, inline=True)


ROUTES: tuple[Route, ...] = (Route("GET", "/static/<name:path>", Right.ANYBODY, show),)
