"""Central and the page are served by the same settings, where they do not say otherwise themselves."""

from types import ModuleType

import pytest
from gunicorn.config import Config

from appliance.https import settings as common
from appliance.services.central import settings as of_central
from webui import page_settings as of_page

SHARED = {name: value for name, value in vars(common).items() if name in Config().settings}


@pytest.mark.parametrize("served", [of_central, of_page])
def test_what_is_common_reaches_both(served: ModuleType) -> None:
    assert {
        "ssl_context",
        "http_protocols",
        "forwarded_allow_ips",
        "limit_request_field_size",
    } < SHARED.keys()
    assert {name: vars(served)[name] for name in SHARED} == SHARED


def test_nobody_is_believed_who_says_that_he_is_a_proxy() -> None:
    assert (SHARED["forwarded_allow_ips"], SHARED["secure_scheme_headers"]) == ("", {})
