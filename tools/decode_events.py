#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes the log of a state, written from formats/events.md alone.

  decode_events.py FILE   each event, note, round and seed; then the links that stand

Standard library only; every checksum is checked. Exit code 4: damaged; 2: usage.
"""
import struct
import sys

sys.dont_write_bytecode = True  # no files beside the sources
from decode_segment import u64, xxh3

KINDS = {1: "link", 2: "confirm", 3: "retract", 4: "note", 5: "round", 6: "seed"}


def wants(condition, what):
    if not condition:
        print(f"{sys.argv[-1]}: damaged: {what}", file=sys.stderr)
        sys.exit(4)


def head_at(data, at, salt):
    """(synced, bytes, sum, seq, time, records) of the frame there, or None."""
    if len(data) - at < 64 or u64(data, at + 8) != salt ^ at:
        return None
    if u64(data, at) != xxh3(data[at + 8:at + 64]):
        return None
    head = struct.unpack_from("<QQQQqII", data, at + 16)
    if head[0] > at or head[1] < 64 or head[1] % 8 or head[6]:
        return None
    return head[:6]


def record(body, at):
    """(bytes, kind, origin, posterior, round, a, b)"""
    wants(len(body) - at >= 8, "a record is cut short")
    kind, origin, a_bytes, b_bytes, zero = struct.unpack_from("<BBHHH", body, at)
    if kind == 5:
        wants(origin == a_bytes == 0, "a round")
        return 8, kind, 0, 0.0, struct.unpack_from("<I", body, at + 4)[0], b"", b""
    wants(kind in KINDS and zero == 0, f"kind {kind}")
    event = kind <= 3
    posterior, number = struct.unpack_from("<dI", body, at + 8) if event else (0.0, 0)
    wants(origin <= event and 0 <= posterior <= 1, "values of a record")
    first, most = (255, 4096) if kind == 4 else (1024, 1024)
    wants(1 <= a_bytes <= first and b_bytes <= most and (b_bytes or kind == 4), "sizes")
    text = at + (20 if event else 8)
    end = text + a_bytes + b_bytes
    size = (end - at + 7) // 8 * 8
    wants(at + size <= len(body) and not any(body[end:at + size]), "end of a record")
    return (size, kind, origin, posterior, number, body[text:text + a_bytes],
            body[text + a_bytes:end])


def show(text):
    return '"' + text.decode(errors="backslashreplace").replace('"', '""') + '"'


def main(data):
    wants(len(data) >= 64 and data[:8] == b"\x89ILEVT\r\n", "no log of a state")
    wants(u64(data, 56) == xxh3(data[:56]), "checksum of the header")
    wants(struct.unpack_from("<2I", data, 8) == (1, 0), "version")
    wants(not any(data[32:56]), "header")
    salt, at, last, links = xxh3(data[16:32]), 64, 0, {}
    while True:
        head = head_at(data, at, salt)
        if not head or head[1] > len(data) - at:
            break
        body = data[at + 64:at + head[1]]
        if xxh3(body) != head[2]:
            break
        wants(head[3] == last, f"byte {at}: goes on after event {head[3]}, not {last}")
        place, count = 0, 0
        while place < len(body):
            size, kind, origin, posterior, number, a, b = record(body, place)
            place, count = place + size, count + 1
            if kind <= 3:
                last += 1
                link = xxh3(a + b"\0" + b)
                print(f"{last} {KINDS[kind]} {link:016x} {show(a)} {show(b)} "
                      f"posterior={posterior:.6f} round={number} origin={origin}")
                if kind == 3:
                    wants(links.pop((a, b), None) is not None, f"event {last}")
                else:
                    links[a, b] = posterior
            elif kind == 4:
                print(f"note {show(a)} {len(b)} bytes")
            else:
                print(KINDS[kind], number if kind == 5 else f"{show(a)} {show(b)}")
        wants(count == head[5], f"byte {at}: {head[5]} records")
        at += head[1]
    for later in range(at + 8, len(data), 8):
        head = head_at(data, later, salt)
        wants(not head or head[0] <= at, f"byte {at}: no frame, one at {later}")
    print(f"events={last} links={len(links)} tail={len(data) - at}")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    with open(sys.argv[1], "rb") as log:
        main(log.read())
