#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of the hash encoder, its words, and base64.

Written from the description of the encoder alone: whole texts are normalized at once, words are
found character by character from Python's own Unicode tables (scripts by character names), and
SipHash-2-4 is the paper's. The order of additions is part of the description (ascending hashes),
and a square root is rounded exactly everywhere, so the numbers must be equal to the last bit.
The Unicode tables of Python 3.11 are version 14, as those of libunistring 1.0.

    tests/golden/encoder_reference.py > tests/golden/encoder.json
"""
import base64
import hashlib
import json
import math
import random
import struct
import sys
import unicodedata

KEY = b"micro/1 hash key"
MASK = 2 ** 64 - 1
NAMES_WITHOUT_SPACES = (
    "CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC ITERATION MARK",
    "VERTICAL IDEOGRAPHIC ITERATION MARK", "OLD CHINESE ITERATION MARK", "HIRAGANA ", "KATAKANA ",
    "HALFWIDTH KATAKANA LETTER", "HENTAIGANA LETTER", "THAI ", "LAO ", "KHMER ", "MYANMAR ")


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def siphash(key, data):
    """SipHash-2-4 (Aumasson and Bernstein, 2012)."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
         k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rotate(x, k):
        return (x << k | x >> (64 - k)) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    tail = data[len(data) // 8 * 8:]
    words = [word for (word,) in struct.iter_unpack("<Q", data[:len(data) // 8 * 8])]
    words.append(int.from_bytes(tail, "little") | (len(data) & 255) << 56)
    for word in words:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def lower(c):
    """One character's lower case; the only one with two of them counts as its first."""
    return c.lower()[0]


def kind(c):
    category = unicodedata.category(c)
    if c in "'\u2019":
        return "apostrophe"
    if category[0] == "M":
        return "mark"
    if category[0] == "L" or category == "Nd":
        single = unicodedata.name(c, "").startswith(NAMES_WITHOUT_SPACES)
        return "character" if single else "letter"
    return "other"


def words(text):
    text = unicodedata.normalize("NFC", text)
    kinds = [kind(c) for c in text]
    found = []
    before = "other"  # what the character before this one belongs to
    for i, c in enumerate(text):
        now = kinds[i]
        if now == "character" or (now == "letter" and before != "letter"):
            found.append(lower(c))
        elif now == "letter":
            found[-1] += lower(c)
        elif now == "mark" and before in ("letter", "character"):
            found[-1] += c
            now = before
        elif now == "apostrophe" and before == "letter" and kinds[i + 1:i + 2] == ["letter"]:
            found[-1] += "'"
            now = before
        else:
            now = "other"
        before = now
    return found


def row(text, dim):
    """The non-zeros of the text's vector in dim dimensions."""
    tokens = [word.encode() for word in words(text)]
    grams = tokens + [a + b" " + b for a, b in zip(tokens, tokens[1:])]
    counts = {}
    for gram in grams:
        value = siphash(KEY, gram)
        counts[value] = counts.get(value, 0) + 1
    sums = {}
    for value in sorted(counts):
        bucket = value * dim >> 64
        sign = -1.0 if value & 1 else 1.0
        sums[bucket] = sums.get(bucket, 0.0) + sign * math.sqrt(counts[value])
    square = 0.0
    for bucket in sorted(sums):
        square += sums[bucket] * sums[bucket]
    length = math.sqrt(square)
    index = [bucket for bucket in sorted(sums) if sums[bucket] != 0]
    return {"index": index, "value": [float32(sums[bucket] / length) for bucket in index]}


TEXTS = [
    "", " \n\t", "a", "A a", "!?…",
    "Given inflation, unless workers fight they are continually being pushed down.",
    "I think we’ll need to revisit these laws again and again - and again.",
    "don't Don’t 'quoted' rock 'n' roll users' it''s '", "x2 3.14 1,000 ½ ² Ⅷ ٣٤٥",
    "Straße STRASSE ΣΊΣΥΦΟΣ İstanbul ıI Ǆ Ⱥ ẞ",
    "café CAFE\u0301 cafe\u0301 E\u0301 \u0301x a\u0323\u0307 a\u0307\u0323",
    "Ёлка ёлка е\u0308лка", "हिन्दी में लिखा हुआ", "שָׁלוֹם עולם", "مَرْحَبًا بالعالم",
    "한국어 \u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165", "日本語です。ラーメン、が か\u3099 々",
    "ภาษาไทย ที่นี่ ๑๒", "ພາສາລາວ ภ", "ភាសាខ្មែរ", "မြန်မာဘာသာ", "漢a字b c漢 字's",
    "👍👍🏽 ❤\ufe0f 1\ufe0f\u20e3 👩\u200d🚀", "ﬁne ＡＢＣ Å \u212b \U0001d15e a\U0001d165", "\U0001d160" * 50,
    "tab\tnew\nline\rfeed\x0bpage\x0cone\x7f", "a" * 5000, "the " * 1000, "\u0301" * 200,
    "e" + "\u0301\u0323" * 100,
]
DIMS = [1, 2, 7, 64, 4096, 1048576]


def code_points():
    """Digest of the words of x, c, y for every character c, one text a line."""
    digest = hashlib.sha256()
    for c in range(1, 0x110000):
        if not 0xd800 <= c < 0xe000:
            digest.update((" ".join(words("x" + chr(c) + "y")) + "\n").encode())
    return digest.hexdigest()


def vectors():
    draw = random.Random(20250524)
    for n in (1, 2, 3, 4, 5, 48):
        numbers = [float32(draw.gauss(0, 1)) for _ in range(n)]
        packed = struct.pack(f"<{n}f", *numbers)
        yield {"numbers": numbers, "base64": base64.b64encode(packed).decode()}


def lines(items):
    """A JSON array with one item a line, so that a difference shows where it is."""
    return "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]"


def main():
    texts = [{"text": text, "words": words(text)} for text in TEXTS]
    rows = [{"dim": dim, "text": i, **row(text, dim)}
            for i, text in enumerate(TEXTS) for dim in DIMS if dim == 4096 or 5 <= i < 12]
    sys.stdout.write(f'{{"texts": {lines(texts)},\n"rows": {lines(rows)},\n'
                     f'"code_points_sha256": "{code_points()}",\n'
                     f'"base64": {lines(vectors())}}}\n')


if __name__ == "__main__":
    main()
