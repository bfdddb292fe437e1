"""Every route of the page, in one table: what is not here does not exist."""

from webui.routing import Route

ROUTES: tuple[Route, ...] = ()
