"""Changing who may speak: sources.toml is read, changed and written again, by one command at a time."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from appliance.config import sources
from appliance.model.errors import HomeError, StorageError, UsageError
from appliance.model.feeds import DeclaredSource
from appliance.runtime import locks
from appliance.runtime.files import write_once
from appliance.services.feeds.gate import grammar_names
from appliance.vault.names import Home

LOCK = "sources.lock"

Sources = Sequence[DeclaredSource]


def declared(home: Home) -> Sources:
    """Who may speak. Raises HomeError."""
    return sources.read(home.path / sources.NAME, grammar_names())


def declare(home: Home, source: DeclaredSource, instead: bool = False) -> None:
    """Let a source speak; `instead` of the one of its label, whose secret stays where none is given.

    Raises UsageError for what cannot be meant, HomeError, StorageError.
    """
    _change(home, _with(source, instead))


def check(home: Home, source: DeclaredSource, instead: bool = False) -> None:
    """Whether `declare` would take it; nothing is written. Raises as `declare`."""
    _text_of(_with(source, instead)(declared(home)))


def _with(source: DeclaredSource, instead: bool) -> Callable[[Sources], Sources]:
    def changed(before: Sources) -> Sources:
        old = next((one for one in before if one.label == source.label), None)
        if old is None:
            if instead:
                raise UsageError(f"no source is called '{source.label}'; leave out --replace")
            return (*before, source)
        if not instead:
            raise UsageError(f"'{source.label}' is declared already; give --replace, or another label")
        new = replace(source, secret=source.secret or old.secret)
        return [new if one is old else one for one in before]

    return changed


def forget(home: Home, label: str) -> None:
    """Let a source speak no more. Raises as `declare`."""

    def changed(before: Sources) -> Sources:
        left = [one for one in before if one.label != label]
        if len(left) == len(before):
            known = ", ".join(one.label for one in before) or "none"
            raise UsageError(f"no source is called '{label}'; declared are: {known}")
        return left

    _change(home, changed)


def _change(home: Home, change: Callable[[Sources], Sources]) -> None:
    with locks.exclusive(home.state / LOCK):
        text = _text_of(change(declared(home)))
        write_once(home.path / sources.NAME, text)
        _give_to_owner(home)


def _text_of(after: Sources) -> bytes:
    """The file of these sources. Raises UsageError for what would be refused when it is read."""
    known = grammar_names()
    for one in after:
        if one.grammar and one.grammar not in known:
            names = ", ".join(sorted(known))
            raise UsageError(f"there is no grammar '{one.grammar[:60]}'; those there are: {names}")
    try:
        content = sources.text_of(after).encode()
    except HomeError as error:
        raise UsageError(str(error)) from None
    if len(content) > sources.SIZE_LIMIT_BYTES:
        raise UsageError(f"{sources.NAME} would be larger than {sources.SIZE_LIMIT_BYTES >> 20} MiB")
    return content


def _give_to_owner(home: Home) -> None:
    """What root declares is read by whoever the home belongs to. Raises StorageError."""
    owner = home.path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (home.path / sources.NAME, home.state / LOCK):
        try:
            os.chown(path, owner.st_uid, owner.st_gid)
        except OSError as error:
            raise StorageError(f"cannot give {path} to the owner of the home: {error.strerror}") from error
