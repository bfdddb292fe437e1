"""Decode and pair the exports of one format, in batches as a busy second brings them; writes nothing."""

import sys
import time

import numpy as np

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.told import Messages
from appliance.flows.pairing import Pairing
from appliance.model.instants import NS
from appliance.model.networks import Networks
from appliance.model.texts import Texts
from bench import exports
from bench.generate import CLIENT_NETWORKS

_BATCH = 400  # datagrams of 20 ms at 20,000 a second


def main(form: str) -> int:
    sent = exports.datagrams(form)
    decoder, pairing = NetflowDecoder(Texts()), Pairing(Networks.of(CLIENT_NETWORKS), 1_000_000)
    now_ns, flows, rows = (exports.START_S + 701) * NS, 0, 0
    decoding = 0.0
    begun = time.process_time()
    for start in range(0, len(sent), _BATCH):
        part = sent[start : start + _BATCH]
        before = time.process_time()
        told = decoder.decode(Messages(np.full(len(part), now_ns, np.int64), part))
        decoding += time.process_time() - before
        flows += len(told.flows)
        rows += len(pairing.add(told.flows, 0, now_ns))
        now_ns += len(part) * NS // 20_000
    took = time.process_time() - begun
    rows += len(pairing.finish())
    print(f"{flows} flows, {rows} rows: decoded {flows / decoding:,.0f} a second,", end=" ")
    print(f"decoded and paired {flows / took:,.0f} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
