#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes a store, written from formats/manifest.md and formats/log.md alone.

  decode_store.py DIRECTORY   what the manifest says, then each live row of the segments
                              and the log: the file it is in, and its id
  decode_store.py FILE        one manifest, file of deletions, basis or log

Standard library only; every checksum of the small files and of the segments' footers is
checked (decode_segment.py checks the rest of a segment). Exit code 4: damaged; 2: usage.
"""
import os
import struct
import sys

sys.dont_write_bytecode = True  # no files beside the sources
from decode_segment import get, u64, xxh3


def wants(condition, what):
    if not condition:
        print(f"{sys.argv[-1]}: damaged: {what}", file=sys.stderr)
        sys.exit(4)


def frame(data, magic, what):
    wants(len(data) >= 24 and data[:8] == b"\x89" + magic + b"\r\n", f"no {what}")
    wants(u64(data, len(data) - 8) == xxh3(data[:-8]), f"checksum of the {what}")
    wants(get(data, 8) == 1, f"version of the {what}")


def decode_manifest(data):
    frame(data, b"ILMAN", "manifest")
    m = dict(zip(("codec", "dim", "stored_dim", "generation", "uuid", "fingerprint",
                  "basis", "next", "basis_sum", "log", "count", "synced", "name_bytes"),
                 struct.unpack_from("<3IQ16s32s2IQ2IQI", data, 12)))
    size = m["name_bytes"]
    wants(1 <= m["codec"] <= 5 and 1 <= m["stored_dim"] <= m["dim"] <= 65536, "sizes")
    wants(m["basis"] in (0, 1) and (m["basis"] or m["stored_dim"] == m["dim"]), "basis")
    wants(m["generation"] and size <= 255 and 0 < m["log"] < m["next"], "numbers")
    wants(len(data) == 384 + 40 * m["count"] + 8, "size")
    name = data[128:128 + size]
    wants(0 not in name and not any(data[116:128] + data[128 + size:384]), "zeros")
    words = (xxh3(bytes([i]) + name) if name else 0 for i in range(4))
    wants(struct.pack("<4Q", *words) == m["fingerprint"], "fingerprint")
    m["model"], m["segments"], last = name.decode(errors="backslashreplace"), [], 0
    for i in range(m["count"]):
        s = struct.unpack_from("<2I4Q", data, 384 + 40 * i)
        wants(last < s[0] < m["next"] and s[1] < m["next"] and s[2] > 0, f"segment {i}")
        wants(0 < s[3] < s[2] if s[1] else s[3] == s[5] == 0, f"deletions {i}")
        m["segments"].append(s)
        last = s[0]
    return m


def decode_deletions(data):
    frame(data, b"ILDEL", "deletions")
    segment, rows, count = struct.unpack_from("<IQQ", data, 12)
    wants(len(data) == 40 + (rows + 63) // 64 * 8, "size of the deletions")
    bits = int.from_bytes(data[32:-8], "little")
    wants(bin(bits).count("1") == count and bits >> rows == 0, "bits of the deletions")
    return segment, rows, {r for r in range(rows) if bits >> r & 1}


def decode_basis(data):
    frame(data, b"ILBAS", "basis")
    dim, stored = struct.unpack_from("<2I", data, 12)
    wants(len(data) == 40 + 4 * dim * (1 + stored) and not any(data[20:32]), "basis")
    return dim, stored, xxh3(data[32:-8])


def record_at(data, at, dim, salt):
    """(bytes, synced, kind, id, row or count) of the record there, or None."""
    if len(data) - at < 32 or u64(data, at + 8) != salt ^ at:
        return None
    synced, size, id_bytes, kind, zero = struct.unpack_from("<QIHBB", data, at + 16)
    row_at = (32 + id_bytes + 3) // 4 * 4
    wanted = {1: row_at + 4 * dim, 2: 32 + id_bytes, 3: 40}.get(kind, 0)
    if size != (wanted + 7) // 8 * 8 or size > len(data) - at or zero or synced > at or (
            id_bytes != 0 if kind == 3 else not 1 <= id_bytes <= 1024):
        return None
    if u64(data, at) != xxh3(data[at + 8:at + size]):
        return None
    rest = {1: lambda: struct.unpack_from(f"<{dim}f", data, at + row_at),
            2: lambda: None, 3: lambda: u64(data, at + 32)}[kind]()
    return size, synced, kind, data[at + 32:at + 32 + id_bytes], rest


def decode_log(data, wanted=None, known=0):
    """(number, dim, committed records as (kind, id, row), bytes of the tail)"""
    wants(len(data) >= 64, "size of the log")
    frame(data[:64], b"ILLOG", "log")
    dim, number, zero = struct.unpack_from("<3I", data, 12)
    wants(zero == 0 and not any(data[40:56]) and 1 <= dim <= 65536, "header of the log")
    wants(wanted in (None, (number, dim, data[24:40])), "log of another store")
    salt = xxh3(data[24:40] + struct.pack("<2I", number, dim))
    at, end, done, since = 64, 64, [], []
    while True:
        r = record_at(data, at, dim, salt)
        if r is None:
            break
        at += r[0]
        if r[2] != 3:
            since.append(r[2:])
            continue
        wants(r[4] == len(since), f"byte {at}: commit of {r[4]} records")
        done, since, end = done + since, [], at
    wants(end >= known, f"byte {at} of the log: no record")
    for later in range(at + 8, len(data), 8):
        r = record_at(data, later, dim, salt)
        wants(not r or r[1] <= at, f"byte {at} of the log: no record, one at {later}")
    return number, dim, done, len(data) - end


def show(name):
    return '"' + name.decode(errors="backslashreplace").replace('"', '""') + '"'


def show_log(data, wanted=None, known=0):
    number, dim, done, tail = decode_log(data, wanted, known)
    print(f"log {number}: dim={dim} records={len(done)} tail={tail}")
    return done


def show_manifest(m):
    print(f"manifest: generation={m['generation']} codec={m['codec']} dim={m['dim']} "
          f"stored_dim={m['stored_dim']} model={m['model']} uuid={m['uuid'].hex()} "
          f"log={m['log']} synced={m['synced']} next={m['next']}")
    for number, deletions, rows, deleted, seal, _ in m["segments"]:
        print(f"segment {number}: rows={rows} deleted={deleted} seal={seal:016x} "
              f"deletions={deletions}")


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def show_store(path):
    m = decode_manifest(read(path, "MANIFEST"))
    show_manifest(m)
    if m["basis"]:
        found = decode_basis(read(path, "basis"))
        wants(found == (m["dim"], m["stored_dim"], m["basis_sum"]), "another basis")
    live = {}
    for number, deletions, rows, _, seal, del_sum in m["segments"]:
        data, dead = read(path, f"{number:08d}.seg"), set()
        wants(u64(data, len(data) - 8) == seal == xxh3(data[-256:-8]), f"seal {number}")
        wants(u64(data, len(data) - 248) == rows, f"rows of {number}")
        if deletions:
            marks = read(path, f"{deletions:08d}.del")
            segment, del_rows, dead = decode_deletions(marks)
            wants((segment, del_rows, u64(marks, len(marks) - 8)) ==
                  (number, rows, del_sum), f"deletions of {number}")
        # Tables 3 and 4 of the footer: ends of ids, ids.
        ends, text = u64(data, len(data) - 144), u64(data, len(data) - 120)
        for row in set(range(rows)) - dead:
            begin, end = struct.unpack_from("<2Q", data, ends + 8 * row)
            name = data[text + begin:text + end]
            wants(name not in live, f"id {name} is live twice")
            live[name] = f"{number:08d}.seg"
    wanted = (m["log"], m["dim"], m["uuid"])
    for kind, name, _ in show_log(read(path, f"{m['log']:08d}.log"), wanted, m["synced"]):
        live.pop(name, None)
        if kind == 1:
            live[name] = f"{m['log']:08d}.log"
    for name, place in sorted(live.items()):
        print(place, show(name))


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip() if "--help" in sys.argv else 2)
    if os.path.isdir(sys.argv[1]):
        show_store(sys.argv[1])
        return
    data = read(sys.argv[1])
    if data[1:6] == b"ILDEL":
        segment, rows, dead = decode_deletions(data)
        print(f"deletions: segment={segment} rows={rows}", *sorted(dead))
    elif data[1:6] == b"ILBAS":
        print("basis: dim={} stored_dim={} sum={:016x}".format(*decode_basis(data)))
    elif data[1:6] == b"ILLOG":
        for kind, name, row in show_log(data):
            print(("put", "remove")[kind - 1], show(name), *(row or ()))
    else:
        show_manifest(decode_manifest(data))


if __name__ == "__main__":
    main()
