"""What kind of application and of operating system: numbers that name nobody. Pure.

The first bytes of a connection are glanced at where they lie in the capture's buffer; a name found there is
hashed, looked up in a small table and overwritten before the call returns. No name, no address and no byte
of content may stay in this room: it remembers keyed hashes and small numbers.
"""
