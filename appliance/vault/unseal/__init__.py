"""Reading what was sealed, with the custodians' keys. The recording side must never import this package."""
