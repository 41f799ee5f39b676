#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes a sealed segment, written from formats/segment.md alone.

  decode_segment.py FILE             rows as CSV: id, length, coordinates
  decode_segment.py --summary FILE   what header and chunk table say

Standard library only; every checksum is checked. Python has no zstd: the program `zstd`
unpacks compressed chunks; without it their rows are left out and the exit code is 3.
Exit code 4: the file is damaged; 2: usage.
"""
import math
import shutil
import struct
import subprocess
import sys

M64 = (1 << 64) - 1
P32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
       0x27D4EB2F165667C5)  # the primes of XXH64; P32 are those of XXH32
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0"
    "e578825ad07dccff7221b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b"
    "1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51"
    "e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49"
    "d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b"
    "407e")


def get(data, at, kind="<I"):
    return struct.unpack_from(kind, data, at)[0]


def u64(data, at):
    return get(data, at, "<Q")


def fold(a, b):
    return (a * b ^ a * b >> 64) & M64


def avalanche(h, shift=37, prime=0x165667919E3779F9):
    h = (h ^ h >> shift) * prime & M64
    return h ^ h >> 32


def mix16(data, at, secret):
    return fold(u64(data, at) ^ u64(SECRET, secret),
                u64(data, at + 8) ^ u64(SECRET, secret + 8))


def short_hash(data):
    n = len(data)
    if n < 4:
        h = u64(SECRET, 56) ^ u64(SECRET, 64)
        if n > 0:
            h = data[0] << 16 | data[n >> 1] << 24 | data[-1] | n << 8
            h ^= get(SECRET, 0) ^ get(SECRET, 4)
        return avalanche((h ^ h >> 33) * P64[1] & M64, 29, P64[2])
    if n <= 8:
        h = get(data, n - 4) + (get(data, 0) << 32) & M64
        h ^= u64(SECRET, 8) ^ u64(SECRET, 16)
        h ^= (h << 49 | h >> 15) & M64 ^ (h << 24 | h >> 40) & M64
        h = h * 0x9FB21C651E98DF25 & M64
        h = (h ^ (h >> 35) + n) * 0x9FB21C651E98DF25 & M64
        return h ^ h >> 28
    if n <= 16:
        low = u64(data, 0) ^ u64(SECRET, 24) ^ u64(SECRET, 32)
        high = u64(data, n - 8) ^ u64(SECRET, 40) ^ u64(SECRET, 48)
        high += u64(low.to_bytes(8, "big"), 0) + fold(low, high)
        return avalanche(n + high & M64)
    h = n * P64[0]
    if n <= 128:
        for i in range((n - 1) // 32, -1, -1):
            h += mix16(data, 16 * i, 32 * i) + mix16(data, n - 16 * i - 16, 32 * i + 16)
        return avalanche(h & M64)
    h = avalanche(h + sum(mix16(data, 16 * i, 16 * i) for i in range(8)) & M64)
    h += sum(mix16(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    return avalanche(h + mix16(data, n - 16, 136 - 17) & M64)


def xxh3(data):
    n = len(data)
    if n <= 240:
        return short_hash(data)
    acc = [P32[2], P64[0], P64[1], P64[2], P64[3], P32[1], P64[4], P32[0]]
    keys = [struct.unpack_from("<8Q", SECRET, 8 * i) for i in range(17)]
    stripes = [(64 * i, keys[i % 16]) for i in range((n - 1) // 64)]
    stripes.append((n - 64, struct.unpack_from("<8Q", SECRET, 121)))
    for i, (at, key) in enumerate(stripes):
        stripe = struct.unpack_from("<8Q", data, at)
        for j in range(8):
            mixed = stripe[j] ^ key[j]
            acc[j ^ 1] += stripe[j]
            acc[j] = acc[j] + (mixed & 0xFFFFFFFF) * (mixed >> 32) & M64
        if i % 16 == 15 and i // 16 < (n - 1) // 1024:
            acc = [((a & M64) ^ (a & M64) >> 47 ^ k) * P32[0] & M64
                   for a, k in zip(acc, keys[16])]
    h = n * P64[0]
    for i in range(4):
        h += fold(acc[2 * i] & M64 ^ u64(SECRET, 11 + 16 * i),
                  acc[2 * i + 1] & M64 ^ u64(SECRET, 19 + 16 * i))
    return avalanche(h & M64)


def wants(condition, what):
    if not condition:
        print(f"{sys.argv[-1]}: damaged: {what}", file=sys.stderr)
        sys.exit(4)


def unpack_chunk(data, packing, width, raw):
    if packing > 0 and not shutil.which("zstd"):
        return None  # no program, no rows
    if packing > 0:
        done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True)
        wants(done.returncode == 0, f"zstd: {done.stderr.decode(errors='replace')}")
        data = done.stdout
    wants(len(data) == raw, f"a chunk has {len(data)} bytes, wanted {raw}")
    if packing == 2:
        planes = [data[i * raw // width:(i + 1) * raw // width] for i in range(width)]
        data = b"".join(bytes(column) for column in zip(*planes))
    return data


def coordinate(codec, block, dim, q, r):
    if codec <= 2:
        return get(block, (4, 2)[codec - 1] * (64 * q + r), ("<f", "<e")[codec - 1])
    if codec == 3:
        return get(block, q // 4 * 256 + 4 * r + q % 4, "<b")
    if codec == 5:
        return 1 if block[(dim + 63) // 64 * 8 * r + q // 8] >> q % 8 & 1 else -1
    byte = block[64 * q + r]
    exponent, fraction = byte >> 3 & 15, byte & 7
    size = math.ldexp(fraction + 8 * (exponent > 0), max(exponent, 1) - 10)
    return math.nan if byte & 127 == 127 else math.copysign(size, 127.5 - byte)


def main():
    summary = sys.argv[1:2] == ["--summary"]
    if len(sys.argv) != 2 + summary or sys.argv[-1].startswith("-"):
        sys.exit(__doc__.strip() if "--help" in sys.argv else 2)
    data = open(sys.argv[-1], "rb").read()
    wants(data[:8] == b"\x89ILSEG\r\n" and len(data) >= 4352, "no header")
    wants(u64(data, 4088) == xxh3(data[:4088]), "checksum of the header")
    version, codec, layout, dim, source, chunk_rows = struct.unpack_from("<6I", data, 8)
    wants(version == 1 and layout == 1 and 1 <= codec <= 5, "version, layout or codec")
    foot = data[-256:]
    wants(foot[:8] == b"ILSEGEND" and u64(foot, 248) == xxh3(foot[:248]), "footer")
    rows, chunks, size, header_hash = struct.unpack_from("<4Q", foot, 8)
    wants(size == len(data) and header_hash == u64(data, 4088), "the footer's own words")
    tables = []
    for at in range(40, 184, 24):
        offset, count, check = struct.unpack_from("<3Q", foot, at)
        tables.append(data[offset:offset + count])
        wants(len(tables[-1]) == count and xxh3(tables[-1]) == check, f"table {at}")
    _, index, norms, ends, text, slots = tables
    if summary:
        print(f"codec={('f32', 'f16', 'i8', 'e4m3', 'b1')[codec - 1]} dim={dim} "
              f"source_dim={source} rows={rows} chunks={chunks} chunk_rows={chunk_rows} "
              f"uuid={data[32:48].hex()} model={data[48:80].hex()}")
    row_bytes = (4 * dim, 2 * dim, (dim + 3) // 4 * 4, dim, (dim + 63) // 64 * 8)
    block, missing = row_bytes[codec - 1] * 64, 0
    for i in range(chunks):
        offset, count, packing, check = struct.unpack_from("<QIIQ", index, 24 * i)
        last = min(i * chunk_rows + chunk_rows, rows)
        blocks = (last - i * chunk_rows + 63) // 64
        raw = data[offset:offset + count]
        wants(len(raw) == count and xxh3(raw) == check, f"checksum of chunk {i}")
        raw = unpack_chunk(raw, packing, (4, 2, 1, 1, 1)[codec - 1],
                           blocks * (block + 256 * (codec in (3, 4))))
        if summary:
            print(f"chunk {i}: offset={offset} bytes={count} packing={packing}")
        missing += raw is None
        for row in range(i * chunk_rows, last if raw is not None else 0):
            b, r = divmod(row - i * chunk_rows, 64)
            values = raw[b * block:(b + 1) * block]
            at = blocks * block + 4 * (64 * b + r)
            scale = get(raw, at, "<f") if codec in (3, 4) else 1
            name = text[u64(ends, 8 * row):u64(ends, 8 * row + 8)]
            check, steps = xxh3(name), len(slots) // 8
            at = check * 8 % len(slots)
            while get(slots, at + 4) not in (0, row + 1) and steps:
                at, steps = (at + 8) % len(slots), steps - 1
            wants(u64(slots, at) == check >> 32 | row + 1 << 32, f"index of {name}")
            if not summary:
                shown = name.decode(errors="backslashreplace").replace('"', '""')
                x = (coordinate(codec, values, dim, q, r) * scale for q in range(dim))
                print(f'"{shown}"', get(norms, 4 * row, "<f"), *x, sep=",")
    if missing:
        print(f"{sys.argv[-1]}: rows of {missing} chunks are left out: they are "
              "compressed, and there is no program zstd", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
