"""The page on the LAN: what a site manager sees. It can reach no record and no key."""
