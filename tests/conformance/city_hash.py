"""CatBoost's hash of a category: the low 32 bits of the CityHash64, version 1.0, of its text. Written apart from the
library's, for the second reader and the oracles.

category_hash(text) is the hash; text_of_hash(hash) is 16 bytes that have it, which CatBoost takes as a category.
"""
MASK = (1 << 64) - 1
K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
MULTIPLIER = 0x9DDFEA08EB382D69
INVERSE = pow(MULTIPLIER, -1, 1 << 64)


def word(data: bytes, at: int, size: int = 8) -> int:
    at = at if at >= 0 else len(data) + at
    return int.from_bytes(data[at:at + size], "little")


def rotate(x: int, by: int) -> int:
    x &= MASK
    return (x >> by | x << (64 - by)) & MASK


def fold(x: int) -> int:
    x &= MASK
    return x ^ x >> 47


def join(u: int, v: int) -> int:
    a = fold(((u ^ v) & MASK) * MULTIPLIER)
    return fold((v & MASK ^ a) * MULTIPLIER) * MULTIPLIER & MASK


def weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (word(data, at + i) for i in (0, 8, 16, 24))
    a = a + w
    b = rotate(b + a + z, 21)
    c, a = a, a + x + y
    return (a + z) & MASK, (b + rotate(a, 44) + c) & MASK


def city_hash(s: bytes) -> int:
    n = len(s)
    if n == 0:
        return K2
    if n < 4:
        y, z = s[0] + (s[n // 2] << 8), n + (s[-1] << 2)
        return fold((y * K2 ^ z * K3)) * K2 & MASK
    if n <= 8:
        return join(n + (word(s, 0, 4) << 3), word(s, n - 4, 4))
    if n <= 16:
        b = word(s, n - 8)
        return join(word(s, 0), rotate(b + n, n)) ^ b
    if n <= 32:
        a, b, c, d = word(s, 0) * K1, word(s, 8), word(s, n - 8) * K2, word(s, n - 16) * K0
        return join(rotate(a - b, 43) + rotate(c, 30) + d, a + rotate(b ^ K3, 20) - c + n)
    return _to_64(s) if n <= 64 else _long(s)


def _to_64(s: bytes) -> int:
    n, halves = len(s), []
    for a, z, at in ((word(s, 0) + (n + word(s, n - 16)) * K0, word(s, 24), 8),
                     (word(s, 16) + word(s, n - 32), word(s, n - 8), n - 24)):
        b, c = rotate(a + z, 52), rotate(a, 37)
        a += word(s, at)
        c += rotate(a, 7)
        a += word(s, at + 8)
        halves += [a + z, b + rotate(a, 31) + c]
    r = fold((halves[0] + halves[3]) * K2 + (halves[2] + halves[1]) * K0)
    return fold(r * K0 + halves[1]) * K2 & MASK


def _long(s: bytes) -> int:
    n = len(s)
    x, y, z = word(s, 0), word(s, n - 16) ^ K1, word(s, n - 56) ^ K0
    v, w = weak(s, n - 64, n, y), weak(s, n - 32, n * K1, K0)
    z += fold(v[1]) * K1
    x, y = rotate(z + x, 39) * K1, rotate(y, 33) * K1
    for at in range(0, (n - 1) // 64 * 64, 64):
        x = rotate(x + y + v[0] + word(s, at + 16), 37) * K1 & MASK ^ w[1]
        y = rotate(y + v[1] + word(s, at + 48), 42) * K1 & MASK ^ v[0]
        z = rotate(z ^ w[0], 33)
        v = weak(s, at, v[1] * K1, x + w[0])
        w = weak(s, at + 32, z + w[1], y)
        z, x = x, z
    return join(join(v[0], w[0]) + fold(y) * K1 + z, join(v[1], w[1]) + x)


def category_hash(text: str | bytes) -> int:
    return city_hash(text.encode() if isinstance(text, str) else text) & 0xFFFFFFFF


def text_of_hash(wanted: int) -> bytes:
    """The hash of 16 bytes is reversible in the first 8; the last 8 are free."""
    last = b"category"
    b = int.from_bytes(last, "little")
    v = rotate(b + 16, 16)
    x = fold((wanted ^ b) * INVERSE) * INVERSE & MASK
    u = fold(x ^ v) * INVERSE & MASK ^ v
    return u.to_bytes(8, "little") + last


def hash_of_number(x: float) -> int | None:
    """The hash that a number stands for in a column of categories, None if it is no category."""
    if not -2.0 ** 63 <= x < 2.0 ** 64:
        return None
    if x == int(x):
        return category_hash(str(int(x)))
    return int(x) if 0 < x < 2.0 ** 32 and x - int(x) == 0.5 else None
