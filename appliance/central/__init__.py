"""Central: takes what boxes send, proves it, keeps it, signs for it. It holds no key that opens a record."""
