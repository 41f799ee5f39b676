#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares two <f4 .npy files row by row: npy_compare.py RULE A.npy B.npy

RULE says how far B may be from A: f16, i8 and fp8 the bounds of their rounding, b1 the
signs alone, rel:X an error of X times the largest coordinate of the row. Prints the
largest error as a share of that coordinate. Exit code 1 when a row breaks the rule."""
import array
import re
import sys


def load(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:6] == b"\x93NUMPY", path
    end = 10 + int.from_bytes(data[8:10], "little")
    shape = re.search(rb"\((\d+), (\d+)\)", data[:end])
    values = array.array("f")
    values.frombytes(data[end:])
    rows, dim = int(shape[1]), int(shape[2])
    assert len(values) == rows * dim, path
    return rows, dim, values


def bound(rule, x, top):
    if rule == "f16":
        return max(abs(x) / 2048, 2.0**-25)
    if rule == "i8":
        return top / 254 * 1.001
    if rule == "fp8":
        return abs(x) / 16 + top * 2.0**-10 / 224
    return top * float(rule.removeprefix("rel:"))


def main():
    rule, before, after = sys.argv[1:]
    rows, dim, a = load(before)
    if (rows, dim) != load(after)[:2]:
        sys.exit(f"{after}: another shape than {rows} x {dim}")
    b = load(after)[2]
    worst = 0.0
    for row in range(rows):
        top = max(abs(x) for x in a[row * dim : (row + 1) * dim])
        for q in range(row * dim, (row + 1) * dim):
            if rule == "b1":
                if (a[q] > 0) != (b[q] > 0):
                    sys.exit(f"row {row}: {a[q]} became {b[q]}")
                continue
            error = abs(a[q] - b[q])
            worst = max(worst, error / top)
            if error > bound(rule, a[q], top):
                sys.exit(f"row {row}: {a[q]} became {b[q]}, largest {top}")
    print(f"{worst:.6f}")


main()
