"""What everything that is served here tells gunicorn alike, under its own names; `import *` takes it over."""

import ssl
from collections.abc import Callable
from typing import Any

from appliance.https.tls import current_context

timeout = 120
limit_request_field_size = 4096

http_protocols = "h1"
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True
sendfile = False

errorlog = "-"
loglevel = "warning"


def ssl_context(config: Any, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """TLS 1.3 with the certificate as it lies there now; asked for each connection."""
    return current_context(config.certfile, config.keyfile)
