"""Every grammar there is; one line each, in the order of their names."""

from appliance.feeds.syslog.grammar import Grammar

GRAMMARS: tuple[Grammar, ...] = ()
