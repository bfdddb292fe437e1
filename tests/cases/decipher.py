"""Makes of an encrypted 802.11 capture one as controllers mirror it: deciphered, the protected bit still set.

    python -m tests.cases.decipher IN OUT bare|header KEY [KEY ...]

A key is `wpa-pwd:Induction:Coherer` or another that tshark knows (80211_keys). tshark deciphers; the cipher's
header of eight bytes is left out (bare) or kept (header); the radio's checksum is gone, and its flag with it.
"""

import re
import struct
import subprocess
import sys

PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 127)
CIPHER_HEADER_BYTES = 8


def dumped(capture: str, options: list[str]) -> list[dict[str, bytearray]]:
    """Of each frame the bytes of all that tshark has of it, by name."""
    command = ["tshark", "-r", capture, *options, "-x", "--hexdump", "noascii"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    frames: list[dict[str, bytearray]] = []
    for block in said.split("\n\n"):
        label = "Frame"
        for line in block.splitlines():
            if named := re.match(r"(\S.*) \(\d+ bytes\):$", line):
                label = named[1]
            elif line:
                place, octets = line.split(" ", 1)
                if int(place, 16) == 0:
                    if label == "Frame":
                        frames.append({})
                    frames[-1][label] = bytearray()
                frames[-1][label] += bytes.fromhex(octets.strip().split("   ")[0])
    return frames


def without_checksum(frame: bytearray) -> None:
    """Clear the flag that says a checksum follows, where the first presence word has flags."""
    place = 8
    (present,) = word = struct.unpack_from("<I", frame, 4)
    while word[0] >> 31:
        word = struct.unpack_from("<I", frame, place)
        place += 4
    if present & 1:
        place = (place + 7) // 8 * 8 + 8
    if present & 2:
        frame[place] &= ~0x10


def deciphered(parts: dict[str, bytearray], keep: bool) -> bytes:
    frame = parts["Frame"]
    clear = [body for name, body in parts.items() if name.startswith("Decrypted")]
    (begin,) = struct.unpack_from("<H", frame, 2)
    control, flags = frame[begin], frame[begin + 1]
    if not clear or not flags & 0x40:
        return bytes(frame)
    size = 24 + 6 * (flags & 3 == 3) + (control >> 7) * (2 + 4 * (flags >> 7))
    body = begin + size
    without_checksum(frame)
    return bytes(frame[: body + CIPHER_HEADER_BYTES * keep] + clear[0])


def main(source: str, target: str, form: str, *keys: str) -> None:
    options = ["-o", "wlan.enable_decryption:TRUE"]
    for key in keys:
        kind, value = key.split(":", 1)
        options += ["-o", f'uat:80211_keys:"{kind}","{value}"']
    command = ["tshark", "-r", source, "-T", "fields", "-e", "frame.time_epoch"]
    times = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    with open(target, "wb") as capture:
        capture.write(PCAP)
        for time, parts in zip(times, dumped(source, options), strict=True):
            frame = deciphered(parts, form == "header")
            second, fraction = time.split(".")
            capture.write(
                struct.pack("<IIII", int(second), int(fraction[:6]), len(frame), len(frame)) + frame
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
