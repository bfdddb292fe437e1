"""A central: the store that boxes send to. It takes what they seal, proves it, keeps it and signs for it.

It holds no key that opens a record. A box should have two of them, at two places.
"""

VERBS = {
    "init": "make the folder of a central: settings, key, certificates, catalogue",
    "serve": "take what boxes send, over HTTPS",
    "enrol": "give out the code that enrols one box",
    "sites": "how the boxes stand: heard, kept, signed for, silent",
    "hold": "keep stated days of a site beyond their term",
    "operator": "make an operator's key",
    "destroy": "end a site's contract: two operators sign, everything of it goes",
    "clock": "whether the clock is believed, and a person's word for it",
    "courier": "take in what a stick brings from boxes, and write receipts on it",
    "verify": "re-read and check everything that is kept",
    "compare": "check two centrals against each other, and mend what one lacks",
    "move": "take a central that is outgrown to S3 and PostgreSQL",
    "restore": "a home out of this central alone, and its records in open formats",
}
"""Each is a file beside this one, with EXAMPLES, add_arguments and run."""
