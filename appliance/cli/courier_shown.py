"""What the courier has done, as a person or a program reads it."""

from appliance.cli.wording import several
from appliance.replication.courier import Written
from appliance.replication.enrolled import Enrolled
from appliance.replication.homecoming import Homecoming


def written_json(written: Written) -> dict[str, object]:
    return {
        "parcels": [path.name for path in written.parcels],
        "objects": written.objects,
        "bytes": written.size_bytes,
        "already": written.already,
        "left": written.left,
        "left_bytes": written.left_bytes,
        "full": written.full,
        "unreadable": written.unreadable,
    }


def written_words(written: Written, centrals: list[Enrolled], cleaned: int) -> str:
    names = " and ".join(one.identity.name for one in centrals)
    lines = [f"{several(cleaned, 'parcel')} deleted, whose receipts are home."] if cleaned else []
    lines += [f"not written: {why}" for why in written.unreadable]
    if written.already:
        lines.append(f"{several(written.already, 'object')} lay whole on the stick before.")
    if written.objects:
        count = several(len(written.parcels), "parcel")
        lines.append(
            f"{several(written.objects, 'object')}, {written.size_bytes:,} bytes, are in {count} for "
            f"{names}, read back and found as written."
        )
    if not written.objects and not written.already and not written.left:
        lines.append(f"Nothing is lacking at {names}: there is nothing to carry.")
        return "\n".join(lines)
    if written.left and not written.full:
        lines.append(f"{several(written.left, 'object')} are beyond the limit and not on the stick.")
    lines.append(
        "Nothing counts as kept yet. Unmount the stick, take it to central ('greffier central courier "
        "read'), and bring it back ('greffier courier read')."
    )
    return "\n".join(lines)


def came_json(one: Homecoming) -> dict[str, object]:
    tally = one.tally
    return {
        "central": one.central.identity.name, "files": one.files, "new": tally.new, "known": tally.known,
        "put_back": tally.put_back, "outdated": tally.outdated, "foreign": tally.foreign,
        "wrong": tally.wrong, "waiting": one.waiting, "unread": one.unread,
    }  # fmt: skip


def came_words(came: list[Homecoming], foreign: int, cleaned: int) -> str:
    lines = []
    for one in came:
        tally = one.tally
        parts = [f"{several(tally.new, 'receipt')} entered"]
        for count, words in (
            (tally.known, "known before"),
            (one.waiting, "handed to the replication at work, which enters them"),
            (tally.put_back, "contradict others: this central was put back to an earlier state"),
            (tally.outdated, "of before it was put back, which do not count"),
            (tally.foreign, "for another box or of another central"),
            (tally.wrong, "not believed: a wrong signature, or bytes that this box never had"),
            (one.unread, "files that the stick did not give to their end"),
        ):
            if count:
                parts.append(f"{count:,} {words}")
        lines.append(f"{one.central.identity.name}: {', '.join(parts)}.")
    if not came:
        lines.append("There are no receipts for this box on the stick: has central read it?")
    if foreign:
        lines.append(
            f"{several(foreign, 'file')} of receipts of centrals that this box does not know: ignored."
        )
    if cleaned:
        lines.append(f"{several(cleaned, 'parcel')} deleted, whose receipts are home.")
    elif came:
        lines.append("What is acknowledged may be wiped from the stick; --clean does it.")
    return "\n".join(lines)
