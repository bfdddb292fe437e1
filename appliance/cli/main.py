"""The command `greffier`: finds the verb's file, runs it, and turns every error into one sentence."""

import argparse
import importlib
import os
import select
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from appliance.cli import stderr
from appliance.cli.wording import printable
from appliance.model.errors import GreffierError, UsageError

VERBS = {
    "custodian": "make a custodian's key",
    "init": "make a box home",
    "record": "record capture files or a live interface",
    "feed": "read what devices told out of files",
    "sources": "who may speak, who does, and who is kept apart",
    "inventory": "ask access points and switches what they are, by SNMP",
    "listen": "receive what access points and gateways tell",
    "search": "read traffic records, with the custodians",
    "bindings": "who held an address, with the custodians",
    "verify": "re-read and check everything that is kept",
    "coverage": "what was seen and what was not",
    "statistics": "what the network was used for, and by how many",
    "retention": "destroy what has passed its term",
    "hold": "keep stated days beyond their term",
    "reversibility": "everything that is kept, in open formats, with the custodians",
    "audit": "who did what, signed",
    "law": "which legal bases there are, until when, and what the site said",
    "status": "sources, last record, next destruction, faults",
    "enrol": "make a central known to the box, by its code",
    "replicate": "send what is kept to the centrals",
    "courier": "carry what is kept to the centrals on a stick",
    "setup": "set a box and its page up from one file",
    "web": "the page on the LAN: how the box stands, for a browser",
    "users": "who may sign in to the page, and another password for one of them",
    "keeper": "answer the page of this box, and destroy on the day",
    "central": "a central store: it takes what boxes send, keeps it and signs for it",
}

FAMILIES = ("central",)
"""Verbs with sub verbs, which stand in `appliance.cli.VERB.verbs`."""

EXIT_CODES = """exit codes:
  0 done   1 a fault was found   2 wrong command line   3 other error   4 home   5 custodians' keys
  6 capture cannot be read   7 disk   8 destroyed after its term   9 port   10 replication   11 central
  12 page and keeper   130 interrupted"""


class _Parser(argparse.ArgumentParser):
    """argparse, but a mistake is an error of ours: one sentence and where to look."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


def _verb_parser(verb: str) -> tuple[argparse.ArgumentParser, object]:
    """The parser and the module of a verb; a sub verb's name is two words."""
    module = importlib.import_module(f"appliance.cli.{verb.replace(' ', '.')}")
    parser = _Parser(
        prog=f"greffier {verb}",
        description=module.__doc__,
        epilog=f"examples:\n{module.EXAMPLES}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser, module


def _overview() -> str:
    verbs = "\n".join(f"  {verb:<10} {does}" for verb, does in VERBS.items())
    return (
        "usage: greffier VERB [options]\n\n"
        "Keeps who talked to whom on a public Wi-Fi, sealed, for the legal term.\n\n"
        f"verbs:\n{verbs}\n\nEach verb explains itself: greffier record --help\n\n{EXIT_CODES}"
    )


def _family_overview(family: str, about: str, known: Mapping[str, str]) -> str:
    verbs = "\n".join(f"  {verb:<10} {does}" for verb, does in known.items())
    return (
        f"usage: greffier {family} VERB [options]\n\n{about}\n"
        f"verbs:\n{verbs}\n\n"
        f"Each explains itself: greffier {family} {next(iter(known))} --help\n\n{EXIT_CODES}"
    )


def _dispatch(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"greffier {version('greffier')}")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        raise UsageError(f"there is no verb '{verb}'; the verbs are {', '.join(VERBS)}")
    if verb in FAMILIES:
        family = importlib.import_module(f"appliance.cli.{verb}.verbs")
        if not rest or rest[0] in ("-h", "--help", "help"):
            print(_family_overview(verb, str(family.__doc__), family.VERBS))
            return 0
        if rest[0] not in family.VERBS:
            raise UsageError(f"'greffier {verb}' has no verb '{rest[0]}'; it has {', '.join(family.VERBS)}")
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    parser, module = _verb_parser(verb)
    return int(module.run(parser.parse_args(rest)))  # type: ignore[attr-defined]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code. No traceback reaches the user of an installed command."""
    with stderr.unfailing():
        return _answer(sys.argv[1:] if arguments is None else arguments)


def _answer(arguments: Sequence[str]) -> int:
    try:
        code = _dispatch(arguments)
        print(end="", flush=True)
        return code
    except GreffierError as error:
        print(f"greffier: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("greffier: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError as error:
        if not _has_reader_left():
            return _unexpected(error)
        stderr.mute(sys.stdout)  # closing it would raise a second time
        return 0
    except MemoryError:
        print("greffier: the machine is out of memory; close other programs and try again", file=sys.stderr)
        return 3
    except Exception as error:  # the last resort of the outermost shell: a sentence, not a traceback
        if os.environ.get("GREFFIER_DEBUG"):
            raise
        return _unexpected(error)


def _has_reader_left() -> bool:
    """Whether it is our stdout that nobody reads any more (head, less); the kernel tells of a pipe's end."""
    asking = select.poll()
    asking.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in asking.poll(0))


def _unexpected(error: Exception) -> int:
    # Only its type: what a foreign error says may hold an address or a key, and this goes into logs.
    print(
        f"greffier: unexpected {type(error).__name__}; this is a defect of Greffier, "
        "run again with GREFFIER_DEBUG=1 to see where and please report it",
        file=sys.stderr,
    )
    return 3
