"""How gunicorn serves the page: settings under its own names. One process: waits are in its memory."""

from appliance.https.connections import Connection
from appliance.https.quiet_log import QuietLog
from appliance.https.settings import *  # noqa: F403  gunicorn reads them off this module
from appliance.https.workers import BoundedWorker


class PageConnection(Connection):
    """A form, with a logo perhaps, comes in without holding a thread."""

    body_limit = 512 << 10


class PageWorker(BoundedWorker):
    """The one process of the page."""

    connection = PageConnection
    most_of_one = 96


worker_class = PageWorker
logger_class = QuietLog

workers = 1
threads = 64
"""24 of them may be live streams; the others answer in some milliseconds each."""

worker_connections = 512
"""Connections at once: a browser holds six. With a body each they are 256 MiB at the very most."""

keepalive = 15
graceful_timeout = 10
backlog = 256

limit_request_line = 2048
limit_request_fields = 64

accesslog = None
