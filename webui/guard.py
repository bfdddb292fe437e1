"""Every request passes here: who asks, whether he may, whether it was his own browser's page that asked.

A page's function is called only after all of it, and what it answers leaves with the same headers always.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import bottle
from markupsafe import escape

from appliance.model.errors import GreffierError
from webui import incoming, outgoing, protection, refusing, shell, wording
from webui.accounts.seats import Seat
from webui.incoming import Incoming, Unreadable
from webui.rendering import rendered
from webui.rights import Person
from webui.routing import Asked, Moved, Refusal, Reply, Route, Saved, Shown, Streamed
from webui.site import Site

Sent = str | bytes | Iterable[bytes]

WHO = "greffier.person"
"""Where the environment of a request says who asked, for the log of requests."""

_log = logging.getLogger("greffier.web")
_PUBLIC = ("/static/", "/branding")
"""For everybody and the same for everybody: nobody is looked up for them, and they may be kept."""

_CHANGING = "POST"


@dataclass(frozen=True)
class Visit:
    """A request together with whose it is. `secret` is the cookie's."""

    incoming: Incoming
    secret: str
    seat: Seat | None
    language: str

    @property
    def person(self) -> Person | None:
        """Who is signed in, all steps of it done."""
        return self.seat.person if self.seat else None

    @property
    def number(self) -> str:
        """The session's, or the anonymous visitor's."""
        return protection.number_of(self.secret) if self.secret else ""


def answer(site: Site, route: Route, path: Mapping[str, str]) -> Sent:
    """What this request is answered with: every answer of the page is made here or in `lost`."""
    is_public = route.path.startswith(_PUBLIC)
    return _told(site, route.path, lambda visit: _answered(site, route, path, visit), is_public)


def lost(site: Site, status: int) -> Sent:
    """What is answered where there is no route: to strangers the same as where there is one."""

    def found(visit: Visit) -> Sent:
        if status != 500 and visit.person is None:
            return outgoing.moved(refusing.door(_asked(site, {}, visit)))
        return _failed(site, visit, status)

    return _told(site, "unknown", found)


def _told(site: Site, where: str, show: Callable[[Visit], Sent], is_public: bool = False) -> Sent:
    outgoing.protect()
    visit: Visit | None = None
    try:
        visit = _visit(site, incoming.read(), is_public)
        return show(visit)
    except Unreadable as error:
        return _failed(site, visit, error.status)
    except GreffierError as error:  # the page's own folder: its disk is full, or it is damaged
        return _failed(site, visit, 503, said=str(error))
    except Exception as error:  # noqa: BLE001  a defect of ours is a page that says so, and a line of its kind
        _log.error("unexpected %s in %s", type(error).__name__, where)
        if site.debug:
            _log.exception("in full")
        return _failed(site, visit, 500)


def _visit(site: Site, came: Incoming, is_public: bool) -> Visit:
    if not protection.is_own_host(came.host, site.names):
        raise Unreadable(421)
    asked_for = came.query.get("language", "")
    language = wording.chosen(asked_for, came.language_cookie, came.headers["Accept-Language"] or "")
    if is_public:
        return Visit(came, "", None, language)
    if asked_for == language:
        outgoing.cookie("greffier-language", language, protection.DEVICE_LASTS_S)
    if not came.secret:
        secret = protection.new_secret()
        outgoing.cookie(protection.COOKIE, secret)
        return Visit(came, secret, None, language)
    seat = site.accounts.seated(came.secret, came.address, came.agent)
    if seat and seat.person:
        bottle.request.environ[WHO] = seat.person.name
    return Visit(came, came.secret, seat, language)


def _answered(site: Site, route: Route, path: Mapping[str, str], visit: Visit) -> Sent:
    asked = _asked(site, path, visit)
    try:
        if elsewhere := refusing.way_out(site, route, asked):
            return _sent(site, route, visit, elsewhere)
        if route.method == _CHANGING:
            asked = _with_form(asked, visit)
        return _sent(site, route, visit, route.show(asked))
    except Refusal as refusal:
        return _refused(site, route, asked, visit, refusal)


def _asked(site: Site, path: Mapping[str, str], visit: Visit) -> Asked:
    came = visit.incoming
    query = bottle.request.query_string
    return Asked(
        method=came.method,
        url=came.path + (f"?{query}" if query else ""),
        path=path,
        query=came.query,
        form={},
        fields={},
        files={},
        person=visit.person,
        session=visit.number,
        origin=came.address,
        language=visit.language,
        site=site,
        agent=came.agent,
        seat=visit.seat,
        device=came.device,
    )


def _with_form(asked: Asked, visit: Visit) -> Asked:
    """The body, if it came from a page of ours that was shown to this browser. Raises Refusal, Unreadable."""
    came = visit.incoming
    form = incoming.form()
    is_own = protection.is_own_origin(came.url, came.headers["Origin"], came.headers["Sec-Fetch-Site"])
    if not is_own or not protection.is_token(visit.secret, form.first.get("csrf", "")):
        raise Refusal(wording.said(visit.language, refusing.FOREIGN_FORM), status=403)
    return replace(asked, form=form.first, fields=form.fields, files=form.files)


def _sent(site: Site, route: Route, visit: Visit, reply: Reply) -> Sent:
    match reply:
        case Shown():
            return _shown(site, route, visit, reply)
        case Moved():
            return _moved(site, visit, reply)
        case Saved():
            return outgoing.saved(visit.incoming, reply, public=not visit.secret)
        case Streamed():
            return outgoing.streamed(reply)


def _shown(site: Site, route: Route, visit: Visit, reply: Shown, **more: Any) -> bytes:
    if visit.person:
        site.accounts.touch(visit.number)
    always = shell.values(site, visit.person, visit.secret, visit.incoming.path, route.menu)
    always["notice"] = site.notices.take(visit.number)
    html = rendered(visit.language, reply.template, {**always, **reply.values, **more})
    return outgoing.page(html, reply.status)


def _moved(site: Site, visit: Visit, reply: Moved) -> bytes:
    number = visit.number
    if visit.person:
        site.accounts.touch(number)
    if reply.session:
        outgoing.cookie(protection.COOKIE, reply.session)
        number = protection.number_of(reply.session)
    if reply.device:
        outgoing.cookie(protection.DEVICE_COOKIE, reply.device, protection.DEVICE_LASTS_S)
    if reply.notice:
        site.notices.leave(number, reply.notice)
    return outgoing.moved(reply.to)


def _refused(site: Site, route: Route, asked: Asked, visit: Visit, refusal: Refusal) -> Sent:
    """The form again, with what was typed and why it is not done; a page of its own where there is none."""
    page = refusing.form_of(route) if asked.form else None
    if page is not None:
        try:
            shown = page.show(replace(asked, method="GET", form={}, fields={}, files={}))
        except Refusal:
            shown = None
        if isinstance(shown, Shown):
            again = replace(shown, status=refusal.status)
            given = shell.given_back(asked.form, refusal)
            return _shown(site, page, visit, again, path=refusing.path_of(page, asked.path), **given)
    return _failed(site, visit, refusal.status, refusal.sentence, refusal.said)


def _failed(site: Site, visit: Visit | None, status: int, sentence: str = "", said: str = "") -> bytes:
    """A page that says so. Where not even the head was understood nobody is named."""
    language = visit.language if visit else "en"
    person, secret, path = (visit.person, visit.secret, visit.incoming.path) if visit else (None, "", "/")
    told = sentence or wording.said(language, refusing.SENTENCES.get(status, refusing.SENTENCES[400]))
    try:
        values = shell.values(site, person, secret, path, "")
        shown = rendered(language, "error.html", {**values, "status": status, "sentence": told, "said": said})
    except Exception as error:  # noqa: BLE001  where even this page fails, its words are left
        _log.error("unexpected %s in error.html", type(error).__name__)
        shown = str(escape(f"{told} {said}"))
    return outgoing.page(shown, status)
