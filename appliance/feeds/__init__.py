"""Bytes and lines of one protocol to what they tell: flows, claims, translations. Pure.

One file or folder a protocol, one file a vendor's grammar. A decoder takes what a listener received and
returns what was told; it opens no socket and no file, and asks no clock. What was visited (URLs, host names,
questions to a name server) never leaves this room: it is refused here, and counted.
"""
