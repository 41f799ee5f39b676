#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes a map, written from formats/map.md alone.

  decode_map.py FILE           every number of it
  decode_map.py FILE ROWS.csv  images of the rows of numbers in ROWS.csv, from A to B

Standard library only; the checksum is checked. Exit code 4: damaged; 2: usage.
"""
import math
import struct
import sys

sys.dont_write_bytecode = True  # no files beside the sources
from decode_segment import u64, xxh3

REALS = ("lambda", "width", "cosine", "recall1", "recall10", "r05", "r25", "r50", "r75",
         "r95", "suited")
KINDS = {1: "orthogonal", 2: "ridge", 3: "local"}


def wants(condition, what):
    if not condition:
        print(f"{sys.argv[1]}: damaged: {what}", file=sys.stderr)
        sys.exit(4)


class Reader:
    def __init__(self, data, at):
        self.data, self.at = data, at

    def take(self, letter, count):
        size = count * (4 if letter == "f" else 8)
        wants(self.at + size <= len(self.data) - 8, "cut short")
        out = struct.unpack_from(f"<{count}{letter}", self.data, self.at)
        end = (self.at + size + 7) // 8 * 8
        wants(not any(self.data[self.at + size:end]), "bytes behind an array")
        self.at = end
        return out


def direction(data, at):
    marks, knots, rank, judged, among, *reals = struct.unpack_from("<4IQ11d", data, at)
    wants(1 <= marks <= 2048 and 1 <= knots <= 32, "counts of a direction")
    wants(not any(data[at + 112:at + 128]), "reserved bytes")
    return dict(zip(REALS, reals), marks=marks, knots=knots, rank=rank, judged=judged,
                among=among)


def decode(data):
    wants(len(data) >= 840 and data[:8] == b"\x89ILMAP\r\n", "no map")
    wants(u64(data, len(data) - 8) == xxh3(data[:-8]), "checksum")
    version, kind, pieces, folds, *sizes = struct.unpack_from("<8I", data, 8)
    links, weight, seed = struct.unpack_from("<QdQ", data, 40)
    wants(version == 1 and kind in KINDS and 2 <= folds <= 16, "header")
    wants(2 <= pieces <= 32 if kind == 3 else pieces == 1, "pieces")
    m = {"kind": KINDS[kind], "pieces": pieces, "folds": folds, "links": links,
         "weight": weight, "seed": seed, "dim": sizes[:2], "columns": sizes[2:],
         "model": [data[64:320].rstrip(b"\0"), data[320:576].rstrip(b"\0")],
         "side": [], "way": [direction(data, 576), direction(data, 704)]}
    r = Reader(data, 832)
    for dim, d in zip(m["dim"], m["columns"]):
        m["side"].append({"mean": r.take("f", dim), "axes": r.take("f", dim * d)})
    for i, w in enumerate(m["way"]):
        d, k = m["columns"][i], m["columns"][1 - i]
        w["matrix"] = r.take("f", pieces * d * k)
        w["centre"] = r.take("f", pieces * d if pieces > 1 else 0)
        w["mark"] = r.take("f", w["marks"] * d)
        w["known"] = r.take("f", w["marks"])
        w["at"] = r.take("d", w["knots"])
        w["share"] = r.take("d", w["knots"])
    wants(r.at == len(data) - 8, f"{len(data)} bytes, wanted {r.at + 8}")
    return m


def show(name, values, digits):
    print(name, *(f"{v:.{digits}g}" for v in values))


def dump(m):
    print(f"map {m['kind']} pieces={m['pieces']} folds={m['folds']} links={m['links']} "
          f"weight={m['weight']:.17g} seed={m['seed']}")
    for i, side in enumerate(m["side"]):
        print(f"side {'AB'[i]} dim={m['dim'][i]} axes={m['columns'][i]} "
              f"model={m['model'][i].decode(errors='backslashreplace')}")
        show("mean", side["mean"], 9)
        show("axes", side["axes"], 9)
    for i, w in enumerate(m["way"]):
        print(f"way {i} rank={w['rank']} judged={w['judged']} among={w['among']}")
        show("figures", (w[n] for n in REALS), 17)
        for name in ("matrix", "centre", "mark", "known"):
            show(name, w[name], 9)
        for name in ("at", "share"):
            show(name, w[name], 17)


def unit(x):
    length = math.sqrt(sum(v * v for v in x))
    return [v / length for v in x]


def times(x, matrix, columns):
    return [sum(v * matrix[i * columns + j] for i, v in enumerate(x))
            for j in range(columns)]


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


def image(m, row):
    (d, k), w, b = m["columns"], m["way"][0], m["side"][1]
    x = unit([v - c for v, c in zip(unit(row), m["side"][0]["mean"])])
    x = unit(times(x, m["side"][0]["axes"], d))
    score = [0.0]
    if m["pieces"] > 1:
        centres = [w["centre"][p * d:(p + 1) * d] for p in range(m["pieces"])]
        score = [dot(x, c) - dot(c, c) / 2 for c in centres]
    z = [0.0] * k
    for p in sorted(range(len(score)), key=lambda p: -score[p])[:3]:
        if score[p] < max(score) and w["width"] == 0:
            continue
        weight = math.exp((score[p] - max(score)) / (w["width"] or 1))
        part = times(x, w["matrix"][p * d * k:(p + 1) * d * k], k)
        z = [a + weight * v for a, v in zip(z, part)]
    z = unit(z)
    v = unit([dot(z, b["axes"][i * k:(i + 1) * k]) for i in range(m["dim"][1])])
    along = dot(b["mean"], v)
    r = math.sqrt(along ** 2 + 1 - dot(b["mean"], b["mean"])) - along
    return [c + r * a for c, a in zip(b["mean"], v)]


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    with open(sys.argv[1], "rb") as file:
        found = decode(file.read())
    if len(sys.argv) == 2:
        dump(found)
    else:
        with open(sys.argv[2], encoding="ascii") as file:
            for line in file:
                show("row", image(found, [float(v) for v in line.split(",")]), 9)
