"""RADIUS accounting to claims (RFC 2866). No packet that its authenticator does not prove tells anything."""
