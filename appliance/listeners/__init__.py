"""Sockets that feeds arrive at: receive, and hand on; never parse what a message says.

Datagrams, streams, TLS, HTTP; and the one that asks, SNMP. Who may speak is not decided here either: a
message is handed on with the address it came from.
"""
