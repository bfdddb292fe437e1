"""Packet columns to traffic rows: the flow table, its timeouts and its bounds. Pure: time is given."""
