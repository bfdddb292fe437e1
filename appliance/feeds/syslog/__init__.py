"""Lines of syslog: framing and header here, one file a vendor's grammar in `grammars`."""
