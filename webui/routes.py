"""Every route of the page, in one table: what is not here does not exist."""

from webui.pages import live, overview, static, users
from webui.pages.signing import account, on_the_way, sign_in
from webui.routing import Route

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *live.ROUTES,
    *static.ROUTES,
    *sign_in.ROUTES,
    *on_the_way.ROUTES,
    *account.ROUTES,
    *users.ROUTES,
)
