"""Presence reports of one sender: signed requests to claims that devices are with an access point."""

import hashlib
import hmac

from appliance.feeds.clocks import NOT_KNOWN, is_believed
from appliance.feeds.cloudtrax import report, request
from appliance.feeds.cloudtrax.report import Device, Report
from appliance.feeds.cloudtrax.request import Request
from appliance.feeds.cloudtrax.statuses import Status
from appliance.feeds.told import Messages, Teller, Told
from appliance.model.errors import DecodeError
from appliance.model.instants import NS
from appliance.model.reasons import Evidence, Note, Refusal
from appliance.model.texts import Texts


class CloudtraxDecoder:
    """Reads requests (`request.pack`) that are signed with the secret; without a secret, none."""

    def __init__(self, texts: Texts, secret: bytes) -> None:
        self._teller = Teller(texts)
        self._secret = secret

    def decode(self, messages: Messages) -> Told:
        """Take requests; `answers` has a status for each."""
        received = messages.received_ns.tolist()
        answers = [self._take(*each) for each in zip(messages.payloads, received, strict=True)]
        return self._teller.told(answers)

    def expire(self, now_ns: int) -> Told:
        """Nothing is waited for."""
        return self._teller.told()

    def _take(self, message: bytes, received_ns: int) -> bytes:
        try:
            sent = request.unpack(message)
            if len(sent.body) > request.LONGEST_BODY_OCTETS:
                return self._refuse(Refusal.TOO_BIG, Status.CONTENT_TOO_LARGE)
            if not self._is_signed(sent):
                return self._refuse(Refusal.BAD_SIGNATURE, Status.UNAUTHORIZED)
            stated = report.read(sent.body)
        except DecodeError:
            return self._refuse(Refusal.BAD_MESSAGE, Status.BAD_REQUEST)
        self._tell(stated, received_ns)
        return Status.OK.digits

    def _refuse(self, refusal: Refusal, status: Status) -> bytes:
        self._teller.refused[refusal] += 1
        return status.digits

    def _is_signed(self, sent: Request) -> bool:
        """Small or capital digits, with or without `sha256=` in front; compared in constant time."""
        digest = hmac.new(self._secret, sent.body, hashlib.sha256).hexdigest()
        stated = sent.signature.lower().removeprefix("sha256=")
        return bool(self._secret) and hmac.compare_digest(digest.encode(), stated.encode())

    def _tell(self, stated: Report, received_ns: int) -> None:
        self._teller.spoken_by.add(stated.ap_mac)
        if not stated.devices:
            self._teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        for device in stated.devices:
            if device is None:
                self._teller.refused[Refusal.BAD_MESSAGE] += 1
            elif not device.is_associated:
                self._teller.refused[Refusal.NOT_ASSOCIATED] += 1
            else:
                self._claim(device, stated.ap_mac, received_ns)

    def _claim(self, device: Device, ap_mac: int, received_ns: int) -> None:
        """From when to when it was seen within the period that is reported."""
        last_ns = self._instant(device.last_s, received_ns)
        if last_ns == NOT_KNOWN:
            self._teller.refused[Refusal.UNDATED] += 1
            return
        first_ns = self._instant(device.first_s, received_ns) or last_ns
        if first_ns < last_ns:
            self._teller.claim(first_ns, Evidence.PRESENCE, device.mac, until_ns=last_ns, ap_mac=ap_mac)
        self._teller.claim(last_ns, Evidence.PRESENCE, device.mac, ap_mac=ap_mac)

    def _instant(self, stated_s: int | None, received_ns: int) -> int:
        """UTC ns; the receipt, which may be NOT_KNOWN, where the device's clock cannot be believed."""
        if stated_s is None:
            return received_ns
        if is_believed(stated_s * NS, received_ns):
            return stated_s * NS
        self._teller.noted[Note.DEVICE_CLOCK] += 1
        return received_ns
