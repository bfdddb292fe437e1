"""Every route of the page, in one table: what is not here does not exist."""

from webui.pages import (
    about,
    activity,
    connected,
    coverage,
    declaring,
    guide,
    journal,
    live,
    ordering,
    overview,
    replication,
    retention,
    settings,
    sources,
    static,
    users,
)
from webui.pages.setup import routes as setup
from webui.pages.signing import account, on_the_way, sign_in
from webui.routing import Route

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *activity.ROUTES,
    *live.ROUTES,
    *static.ROUTES,
    *sign_in.ROUTES,
    *setup.ROUTES,
    *on_the_way.ROUTES,
    *account.ROUTES,
    *users.ROUTES,
    *sources.ROUTES,
    *declaring.ROUTES,
    *guide.ROUTES,
    *coverage.ROUTES,
    *connected.ROUTES,
    *retention.ROUTES,
    *ordering.ROUTES,
    *replication.ROUTES,
    *journal.ROUTES,
    *settings.ROUTES,
    *about.ROUTES,
)
