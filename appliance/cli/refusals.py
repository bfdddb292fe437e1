"""Why something gave no record, in words for whoever has to do something about it."""

from collections.abc import Mapping

_WORDS = {
    "bad_message": "not of the form that its protocol prescribes: is it of another kind?",
    "bad_version": "of a version, or a protocol, that is not read here",
    "bad_length": "longer or shorter than it says, or than anything that is meant",
    "bad_template": "templates that cannot be meant",
    "bad_signature": "its signature is wrong: is the secret of this source the one set on the device?",
    "bad_certificate": "without the certificate that this source must show",
    "capture_damaged": "the file breaks off or is damaged",
    "compressed": "requests whose content is compressed, which are refused unopened",
    "content": "it names what was visited, which is never kept",
    "defect": "a defect of Greffier: please report it, with the message that says where",
    "cut_short": "not all of it is there: capture whole packets (tcpdump -s 0)",
    "empty": "messages without content",
    "link_type": "frames of a kind of link that is not read here",
    "no_addresses": "flows that do not say between whom",
    "no_template": "flows whose template is not there: capture for longer than templates are repeated",
    "not_a_feed": "files that hold nothing of this kind",
    "not_associated": "devices that were near an access point and not with it",
    "not_for_us": "requests for something else",
    "not_understood": "lines that no grammar knows",
    "nothing_to_keep": "understood, and nothing in it is to be kept",
    "sampled": "sampled flows count in the statistics only: they prove nothing",
    "too_big": "larger than anything that is meant",
    "too_many": "of more streams than one device has",
    "undated": "lines without a date, out of a file",
}


def explained(refused: Mapping[str, int]) -> list[str]:
    """A line for every reason that wants a word."""
    return [f"  {reason}: {_WORDS[reason]}" for reason in sorted(refused) if reason in _WORDS]
