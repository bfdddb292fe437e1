"""Who may speak to the box, who does, and who is kept apart until somebody declares it.

'list' shows the declared sources with what came of them and how often they usually speak; the senders that
nobody declared, whose messages are kept in memory and not recorded; and the fingerprint of the certificate
that devices see over TLS. 'accept' declares one of those senders: what was kept of it is recorded. A change
counts within a second or two; nothing has to be restarted. A secret is asked for, or read from a file.
"""

import argparse
import getpass
import sys
from pathlib import Path

from appliance.cli.noting import noted
from appliance.model.errors import UsageError
from appliance.model.feeds import WITH_SECRET, DeclaredSource, FeedKind

EXAMPLES = """  greffier sources --home DIR
  greffier sources --home DIR list --json
  greffier sources --home DIR declare gateway --address 192.168.0.1 --network Guests --kind netflow syslog
  greffier sources --home DIR declare lobby --mac aa:bb:cc:dd:ee:ff --kind syslog --time-zone Europe/Paris
  greffier sources --home DIR declare controller --address 10.0.0.2 --kind radius syslog \\
      --ap-mac lobby=aa:bb:cc:00:00:10 bar=aa:bb:cc:00:00:20 --secret-file controller.secret
  greffier sources --home DIR accept 192.168.0.7 --label bar
  greffier sources --home DIR forget bar"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb and of what it does."""
    _common(parser, None)
    actions = parser.add_subparsers(dest="action", metavar="list|declare|forget|accept")
    shown = actions.add_parser("list", help="who may speak, who does, who is kept apart (the default)")
    declare = actions.add_parser("declare", help="let a source speak")
    declare.add_argument("label", metavar="LABEL", help="its name, in lists and alarms")
    declare.add_argument(
        "--address",
        nargs="+",
        action="extend",
        default=[],
        metavar="A",
        help="what it sends from, or networks",
    )
    declare.add_argument(
        "--replace", action="store_true", help="instead of what is declared under this label"
    )
    accept = actions.add_parser("accept", help="declare a sender that is kept apart")
    accept.add_argument("address", metavar="ADDRESS", help="the address it sends from, as 'list' shows it")
    accept.add_argument("--label", required=True, metavar="LABEL", help="its name, in lists and alarms")
    for either in (declare, accept):
        _settings(either)
    forget = actions.add_parser("forget", help="let a source speak no more; its records stay")
    forget.add_argument("label", metavar="LABEL", help="its name")
    for each in (shown, declare, accept, forget):
        _common(each, argparse.SUPPRESS)


def _common(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Before what is to be done or behind it."""
    parser.add_argument("--home", type=Path, default=default, metavar="DIR", help="the home of the box")
    parser.add_argument(
        "--json", action="store_true", default=default or False, help="print one JSON object instead"
    )


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", default="", metavar="N", help="the network it belongs to")
    parser.add_argument(
        "--kind", nargs="+", action="extend", choices=[str(kind) for kind in FeedKind], metavar="K",
        help=f"what it may send: {', '.join(FeedKind)}; left out: all, or what a sender was kept apart with",
    )  # fmt: skip
    parser.add_argument("--mac", default="", metavar="M", help="its own MAC, where its address changes")
    parser.add_argument(
        "--ap-mac", nargs="+", action="extend", default=[], metavar="[NAME=]M",
        help="the access points it speaks for, with their names",
    )  # fmt: skip
    parser.add_argument("--secret-file", type=Path, metavar="F", help="the secret is F's first line")
    parser.add_argument("--time-zone", default="Europe/Paris", metavar="Z", help="of lines that state none")
    parser.add_argument("--grammar", default="", metavar="G", help="of lines that are not recognised")
    parser.add_argument(
        "--certificate", default="", metavar="SHA256",
        help="of the certificate it must show: its syslog then counts over TLS only",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Do what is asked and say so."""
    from appliance.cli import sources_shown
    from appliance.control.steps import Step
    from appliance.runtime.clock import now_ns
    from appliance.services.feeds import declaring
    from appliance.services.feeds.hearing import hearing
    from appliance.vault import homes

    if args.home is None:
        raise UsageError("the home of the box is missing: --home DIR; see 'greffier sources --help'")
    home = homes.existing(args.home)
    if args.action in (None, "list"):
        print(sources_shown.shown(hearing(home, now_ns()), args.json))
        return 0
    if args.action == "forget":
        with noted(home, Step.FORGET_SOURCE, args.label):
            declaring.forget(home, args.label)
        print(sources_shown.done(args.json, "forgotten", args.label, 0))
        return 0
    kept, kinds = 0, [FeedKind(kind) for kind in args.kind or ()]
    if args.action == "accept":
        known = [one for one in hearing(home, now_ns()).strangers if one.address == args.address]
        if not known:
            raise UsageError(
                f"nothing of {args.address} is kept apart: it has not spoken, or nobody listens; "
                "see 'greffier sources', or 'greffier sources declare'"
            )
        kinds = kinds or [FeedKind(one.kind) for one in known]
        kept = sum(one.kept for one in known if one.kind in kinds)
    source = _source(args, kinds)
    with noted(home, Step.DECLARE_SOURCE, source.label, _details(source)):
        declaring.declare(home, source, getattr(args, "replace", False))
    print(sources_shown.done(args.json, "declared", source.label, kept))
    return 0


def _source(args: argparse.Namespace, kinds: list[FeedKind]) -> DeclaredSource:
    """What the options say; values are checked when they are written."""
    points = [text.rpartition("=") for text in args.ap_mac]
    labels = tuple(name for name, _, _ in points) if any(name for name, _, _ in points) else ()
    accepted = args.action == "accept"
    return DeclaredSource(
        args.label,
        args.network,
        (() if args.mac else (args.address,)) if accepted else tuple(args.address),
        args.mac,
        tuple(mac for _, _, mac in points),
        tuple(kinds),
        args.time_zone,
        args.grammar,
        _secret(args, kinds),
        args.certificate,
        labels,
    )


def _details(source: DeclaredSource) -> dict[str, str]:
    """What the audit chain says of it, beside its label: where it speaks from, never its secret."""
    said = {"addresses": " ".join(source.addresses), "mac": source.mac, "kinds": " ".join(source.kinds)}
    return {key: value for key, value in said.items() if value}


def _secret(args: argparse.Namespace, kinds: list[FeedKind]) -> str:
    """From the file; else asked for where a kind needs one. Never from the command line, which others see."""
    if args.secret_file:
        try:
            return str(args.secret_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"cannot read {args.secret_file}: {reason}") from error
    needing = [kind for kind in kinds if kind in WITH_SECRET]
    if not needing or getattr(args, "replace", False):
        return ""
    if not sys.stdin.isatty():
        raise UsageError(
            f"{'/'.join(needing)} needs the secret that is set on the device: give --secret-file"
        )
    return getpass.getpass(f"Secret of {args.label} for {' and '.join(needing)}: ")
