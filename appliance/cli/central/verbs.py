"""A central: the store that boxes send to. It takes what they seal, proves it, keeps it and signs for it.

It holds no key that opens a record. A box should have two of them, at two places.
"""

VERBS = {
    "init": "make the folder of a central: settings, key, certificates, catalogue",
    "serve": "take what boxes send, over HTTPS",
    "enrol": "give out the code that enrols one box",
    "sites": "how the boxes stand: heard, kept, signed for, silent",
}
"""Each is a file beside this one, with EXAMPLES, add_arguments and run."""
