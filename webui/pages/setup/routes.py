"""The routes of the first boot; they are gone when it is done."""

from webui.pages.setup import begin, centrals, checks, custodians, factor, place

ROUTES = (
    *begin.ROUTES,
    *factor.ROUTES,
    *place.ROUTES,
    *custodians.ROUTES,
    *centrals.ROUTES,
    *checks.ROUTES,
)
