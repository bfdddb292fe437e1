"""Evidence to bindings: who held an address, from when until when. Pure: time is given."""
