"""What the two verbs that read records share: whose home, which custodians, and how an answer is written."""

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from appliance.cli.noting import noted
from appliance.cli.wording import on_one_line
from appliance.control.steps import Step
from appliance.model.addresses import ip_halves, mac_number
from appliance.model.errors import StorageError, UsageError
from appliance.model.instants import day_of, from_iso, to_iso

if TYPE_CHECKING:
    import datetime as dt

    import pyarrow as pa

    from appliance.vault.names import Home
    from appliance.vault.unseal.custody import KeyOpener


def add_custodians(parser: argparse.ArgumentParser) -> None:
    """--home, --identity and --passphrase-file."""
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the box's home")
    parser.add_argument(
        "--identity",
        type=Path,
        required=True,
        action="extend",
        nargs="+",
        metavar="KEY",
        help="key files of the custodians, as many as the quorum",
    )
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        action="extend",
        nargs="+",
        default=[],
        metavar="F",
        help="a file whose first line opens a key file that is under a passphrase",
    )


def opened(args: argparse.Namespace, step: Step, details: Mapping[str, str]) -> "tuple[Home, KeyOpener]":
    """The home and what opens its day keys, once it is noted who asks and which custodians have come.

    `details` say what is asked, without an address. Raises HomeError, CustodyError, StorageError.
    """
    from appliance.vault.homes import existing
    from appliance.vault.unseal.custody import KeyOpener, open_identities

    home = existing(args.home)
    identities = open_identities(args.identity, args.passphrase_file)
    come = {f"custodian {number}": who for number, who in enumerate(sorted(identities.by_recipient), 1)}
    with noted(home, step, "", {**details, **come}):
        return home, KeyOpener(home, identities)


def asked(from_ns: int, to_ns: int | None, **given: object) -> dict[str, str]:
    """What a question is by, and its period, in words for the audit chain: never what was looked for."""
    by = " ".join(name.replace("_", "-") for name, value in given.items() if value is not None)
    period = {"from": to_iso(from_ns)} if from_ns else {}
    if to_ns is not None:
        period["to"] = to_iso(to_ns)
    return {"by": by or "everything", **period}


def instant(text: str) -> int:
    """UTC nanoseconds of an ISO 8601 instant, as an argument's type."""
    return _meant(from_iso, text)


def address(text: str) -> bytes:
    """The 16 bytes of an IP address, as an argument's type."""
    try:
        hi, lo = ip_halves(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not an address; write it like 192.168.1.7 or 2001:db8::7"
        ) from None
    return hi.to_bytes(8, "big") + lo.to_bytes(8, "big")


def mac(text: str) -> bytes:
    """The 6 bytes of a MAC in any usual writing, as an argument's type."""
    return _meant(mac_number, text).to_bytes(6, "big")


def port(text: str) -> int:
    """A port, as an argument's type."""
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"'{text}' is not a port; give 0 to 65535")
    return int(text)


def _meant(read: Callable[[str], int], text: str) -> int:
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def say_destroyed(
    home: "Home", vault: str, met: "Iterable[dt.date]", from_ns: int = 0, to_ns: int | None = None
) -> bool:
    """One sentence on stderr if days of the period asked for can no longer be read by anybody.

    `met` are those whose files are still there; the chain's certificates name the others. Returns whether
    nothing else is kept of that period.
    """
    from appliance.vault import chain
    from appliance.vault.catalogue import Catalogue

    catalogue = Catalogue.of(chain.read(home))
    last = None if to_ns is None else day_of(to_ns - 1)

    def within(days: "Iterable[dt.date]") -> "set[dt.date]":
        return {day for day in days if day >= day_of(from_ns) and (last is None or day <= last)}

    kept = within(day for of, day in catalogue.living_keys() if of == vault)
    certified = within(made.day for _, made in catalogue.certificates if made.vault == vault)
    days = sorted(certified | set(met))
    if days:
        some = ", ".join(day.isoformat() for day in days[:5]) + (" ..." if len(days) > 5 else "")
        print(f"greffier: {len(days)} day(s) were destroyed after their term: {some}", file=sys.stderr)
    return bool(days) and not kept


def say_damaged(damaged: "Mapping[Path, str]") -> bool:
    """A sentence on stderr for each file that does not open; returns whether there is one."""
    for _, why in sorted(damaged.items()):
        print(f"greffier: left out: {on_one_line(why)}", file=sys.stderr)
    if damaged:
        print(f"greffier: the answer lacks what {len(damaged)} file(s) hold", file=sys.stderr)
    return bool(damaged)


def write(tables: "Iterator[pa.Table]", empty: "pa.Table", form: str, out: Path | None) -> int:
    """Write tables to a file or to standard output as they come; returns how many rows there were.

    `empty` has the columns, for an answer without rows. Raises StorageError, UsageError.
    """
    if out is None:
        if form == "parquet" and sys.stdout.isatty():
            raise UsageError("a Parquet file is not for reading on a terminal; give --out FILE")
        return _written(tables, empty, form, sys.stdout.buffer)
    # Beside the answer and renamed at its end: a refusal leaves what was there, and nobody else may read it.
    new = out.with_name(f".{out.name}.new")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
            found = _written(tables, empty, form, sink)
        new.rename(out)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}; choose another place") from error
    finally:
        new.unlink(missing_ok=True)
    return found


def _written(tables: "Iterator[pa.Table]", empty: "pa.Table", form: str, sink: BinaryIO) -> int:
    from appliance.vault.unseal import texts

    rows = 0
    first = list(itertools.islice(tables, 1))  # a refusal comes before anything is written
    tables = itertools.chain(first, tables)
    if form == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(sink, texts.readable(empty).schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(texts.readable(table))
                rows += len(table)
    elif form == "json":
        sink.write(b'{"rows": [')
        for table in tables:
            lines = texts.json_lines(texts.readable(table)).rstrip(b"\n")
            sink.write((b",\n" if rows and lines else b"") + lines.replace(b"\n", b",\n"))
            rows += len(table)
        sink.write(b"]}\n")
    else:
        if form == "csv":
            sink.write(texts.csv(texts.readable(empty), header=True))
        as_text = texts.csv if form == "csv" else texts.json_lines
        for table in tables:
            sink.write(as_text(texts.readable(table)))
            rows += len(table)
    sink.flush()
    return rows
