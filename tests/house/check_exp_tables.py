#!/usr/bin/env python3
"""CatBoost's exponential takes 2^(k / 2048) to the nearest double: for every k below 2048 the product of the two tables in
lib/engine/exp_catboost.c rounds to it, which whole numbers prove here.

Comes in: the source file. Goes out: a line for every k that rounds to another double; exit code 1 if there is one. With
--print: the two tables.
"""
import math
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "lib/engine/exp_catboost.c"
STEPS, COARSE = 2048, 64  # STEPS powers, made of COARSE times STEPS / COARSE
FINE = STEPS // COARSE
BITS = 400  # behind the binary point


def power(k: int) -> int:
    """2^(k / STEPS) times 2^BITS, from below: square roots of 2^k, each off by less than one unit."""
    x = 1 << (BITS + k)
    for _ in range(STEPS.bit_length() - 1):
        x = math.isqrt(x << BITS)
    return x


def rounded(x: int, bits: int) -> int:
    """With so many bits behind the binary point. Where a few hundred units of x would matter, nobody could tell."""
    rest = BITS - bits
    assert abs((x & ((1 << rest) - 1)) - (1 << (rest - 1))) > 1 << 12
    return (x + (1 << (rest - 1))) >> rest


def table(name: str, text: str) -> list[int]:
    return [int(n, 16) for n in re.findall(r"0x([0-9a-f]{16})", text.split(f" {name}[")[1].split("};")[0])]


def print_table(name: str, values: list[int]):
    print(f"static const uint64_t {name}[{len(values)}] = {{")
    for i in range(0, len(values), 4):
        print("\t" + " ".join(f"UINT64_C(0x{v:016x})," for v in values[i:i + 4]))
    print("};")


def main():
    coarse = [rounded(power(FINE * i), 63) for i in range(COARSE)]
    fine = [rounded(power(j), 63) for j in range(FINE)]
    if "--print" in sys.argv:
        print_table("coarse", coarse)
        print_table("fine", fine)
        return 0
    text = SOURCE.read_text()
    coarse, fine = table("coarse", text), table("fine", text)
    assert len(coarse) == COARSE and len(fine) == FINE
    wrong = 0
    for k in range(STEPS):
        found = ((coarse[k // FINE] * fine[k % FINE] >> 64) + (1 << 9)) >> 10
        wanted = rounded(power(k), 52)
        if found != wanted:
            print(f"{SOURCE}: 2^({k} / {STEPS}) becomes {found:#x}, the nearest double is {wanted:#x} times 2^-52")
            wrong = 1
    print(f"{STEPS} powers checked")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
