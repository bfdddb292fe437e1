"""Who is connected now: devices as the recorders hold them in memory, for roles that may. Nothing is kept."""

from appliance.control.messages import AskPresent, Device, Present
from appliance.control.steps import Step
from webui.pages.noting import note
from webui.pages.paging import leaf
from webui.rights import Right
from webui.routing import Asked, Reply, Route, Shown


def show(asked: Asked) -> Reply:
    """The devices, the newest first, those of one access point or maker where that is asked."""
    note(asked, Step.SEE_DEVICES)
    present = asked.tell(AskPresent(), Present)
    settings = asked.site.settings.values()
    wanted, point = asked.query.get("search", "").strip().lower(), asked.query.get("point", "")
    points = sorted({device.access_point for device in present.devices if device.access_point})
    found = [
        device
        for device in present.devices
        if (not point or device.access_point == point) and _matches(device, wanted)
    ]
    found.sort(key=lambda device: device.last, reverse=True)
    return Shown(
        "connected.html",
        {
            "present": present,
            "leaf": leaf(asked, "/connected", found),
            "points": [(key, settings.name_of(key)) for key in points],
            "name_of": settings.name_of,
            "search": asked.query.get("search", ""),
            "point": point,
        },
    )


def _matches(device: Device, wanted: str) -> bool:
    return not wanted or wanted in device.mac or wanted in (device.vendor or "").lower()


ROUTES: tuple[Route, ...] = (Route("GET", "/connected", Right.SEE_CONNECTED, show, menu="connected"),)
