"""Which decoder reads what a declared source sends."""

from collections.abc import Callable

from appliance.feeds.clocks import NOT_KNOWN
from appliance.feeds.told import Decoder
from appliance.model.addresses import MAC_NULL, mac_number
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.texts import Texts


def decoder_of(
    kind: FeedKind,
    texts: Texts,
    declared: DeclaredSource,
    reference: Callable[[], int] = lambda: NOT_KNOWN,
) -> Decoder:
    """A new decoder for one sender on one port, or one connection, of a source.

    `reference` gives what stands in for a receipt that is not known (UTC ns).
    Only the decoders that are used are loaded: a box that listens to syslog alone needs no others.
    """
    match kind:
        case FeedKind.NETFLOW:
            from appliance.feeds.netflow.decoder import NetflowDecoder

            return NetflowDecoder(texts)
        case FeedKind.SFLOW:
            from appliance.feeds.sflow.decoder import SflowDecoder

            return SflowDecoder(texts)
        case FeedKind.SYSLOG:
            from appliance.feeds.syslog.decoder import SyslogDecoder

            ap_mac = _only_access_point(declared)
            return SyslogDecoder(texts, declared.time_zone, declared.grammar, ap_mac, reference)
        case FeedKind.RADIUS:
            from appliance.feeds.radius.decoder import RadiusDecoder

            return RadiusDecoder(texts, declared.secret.encode())
        case FeedKind.CLOUDTRAX:
            from appliance.feeds.cloudtrax.decoder import CloudtraxDecoder

            return CloudtraxDecoder(texts, declared.secret.encode())


def _only_access_point(declared: DeclaredSource) -> int:
    """The access point that lines are about which name none; 0 where the source speaks for several."""
    named = declared.ap_macs or (declared.mac,)
    return mac_number(named[0]) if len(named) == 1 and named[0] else MAC_NULL
