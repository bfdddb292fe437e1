"""Answer the page of this box over a local socket, and destroy what has passed its term when its day comes.

It looks whether that day has come every hour and at midnight UTC.

The page is another process under another user, which sees nothing of the home: it may ask what 'greffier
status' and its like tell, and have changed what its pages change, each written into the audit chain first.
Who asks is known by his user, for which the kernel vouches. There need be no home yet: the page makes it.
"""

import argparse
from pathlib import Path

from appliance.model.errors import UsageError

EXAMPLES = """  greffier keeper --home /var/lib/greffier \\
      --control /run/greffier/control.sock --page-user greffier-web
  greffier keeper --home box --control box-web/control.sock"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--control", type=Path, metavar="SOCKET", help="where to be asked (default: DIR-web/control.sock)"
    )
    parser.add_argument(
        "--page-user",
        action="append",
        default=[],
        metavar="USER",
        help="who may ask besides root and the user that this runs as: a name or a number",
    )
    parser.add_argument(
        "--while-parent-lives", action="store_true", help="end when the process that started this has ended"
    )


def run(args: argparse.Namespace) -> int:
    """Answer until SIGTERM or SIGINT."""
    import os
    import sys

    from appliance.services.keeping import serving
    from appliance.services.recording.signals import end_with, stop_on_signals

    if args.while_parent_lives:
        end_with(os.getppid())

    home = args.home.absolute()
    control = args.control or home.with_name(f"{home.name}-web") / "control.sock"
    users = [_user(name) for name in args.page_user]

    def ready() -> None:
        print(f"greffier: the keeper of {home} is asked at {control}", file=sys.stderr, flush=True)
        serving.say_ready()

    with stop_on_signals() as until:
        serving.serve(home, control.absolute(), users, until, ready)
    return 0


def _user(name: str) -> int:
    import pwd

    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UsageError(f"there is no user '{name}'; see 'getent passwd'") from None
