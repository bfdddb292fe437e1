"""Every route of the page, in one table: what is not here does not exist."""

from webui.pages.signing import sign_in
from webui.routing import Route

ROUTES: tuple[Route, ...] = (*sign_in.ROUTES,)
