"""How gunicorn serves a central: settings under its own names, for `serving` and for its own command.

    gunicorn -c python:appliance.services.central.settings -b 0.0.0.0:443 --certfile DIR/tls/server.pem \\
        --keyfile DIR/tls/server.key 'appliance.services.central.wsgi:application("DIR")'

They bound what a stranger can make central do: how long a request's head may be and take, how many wait.
"""

from appliance.https.settings import *  # noqa: F403  gunicorn reads them off this module
from appliance.https.workers import BoundedWorker
from appliance.services.central.access_log import AccessLog

worker_class = BoundedWorker
logger_class = AccessLog

threads = 64
"""Requests at once in one process: an upload over a slow line holds a thread for as long as it lasts."""

worker_connections = 4000
"""Connections at once in one process, most of them waiting for their box's next journal."""

keepalive = 75
"""Seconds: a box sends journals every 30, and so opens no new connection for each."""

graceful_timeout = 30
backlog = 1024

limit_request_line = 512
limit_request_fields = 32

accesslog = "-"
