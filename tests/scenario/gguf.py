# SPDX-License-Identifier: Apache-2.0
"""A tiny language model of the Llama kind with random weights, as llama.cpp reads it (GGUF v3),
and its last hidden state in plain Python."""
import math
import random
import struct

DIM, FFN, N_HEADS, CONTEXT = 32, 64, 4, 512
EPSILON, THETA = 1e-5, 10000.0
U32, I32, F32, STRING, ARRAY = 4, 5, 6, 8, 9
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
ALIGNMENT = 32


def vocabulary():
    """(text, score, type) of each token: no word is known, every byte is a token of its own."""
    return [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)] + [
        (f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)] + [("▁", -1.0, NORMAL)]


def tokens_of(text):
    """As llama.cpp's SentencePiece does it with that vocabulary."""
    tokens = [1]
    for character in " " + text:
        tokens += [3 + 256] if character == " " else [3 + byte for byte in character.encode()]
    return tokens


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def weights(seed):
    """name -> rows of float32 (matrices, [outputs][inputs]) or one row (norms)"""
    rng = random.Random(seed)

    def matrix(rows, columns, scale=None):
        scale = scale or columns ** -0.5
        return [[float32(rng.gauss(0, scale)) for _ in range(columns)] for _ in range(rows)]

    def norm():
        return [float32(1 + rng.gauss(0, 0.2)) for _ in range(DIM)]
    return {
        "token_embd.weight": matrix(len(vocabulary()), DIM, 1),
        "blk.0.attn_norm.weight": norm(),
        "blk.0.attn_q.weight": matrix(DIM, DIM), "blk.0.attn_k.weight": matrix(DIM, DIM),
        "blk.0.attn_v.weight": matrix(DIM, DIM), "blk.0.attn_output.weight": matrix(DIM, DIM),
        "blk.0.ffn_norm.weight": norm(),
        "blk.0.ffn_gate.weight": matrix(FFN, DIM), "blk.0.ffn_up.weight": matrix(FFN, DIM),
        "blk.0.ffn_down.weight": matrix(DIM, FFN),
        "output_norm.weight": norm(),
        "output.weight": matrix(len(vocabulary()), DIM),
    }


def string(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def array(kind, values):
    body = b"".join(map(string, values)) if kind == STRING else struct.pack(
        f"<{len(values)}{'f' if kind == F32 else 'i'}", *values)
    return struct.pack("<IQ", kind, len(values)) + body


def metadata():
    """(key, type, value's bytes)"""
    def number(kind, value):
        return kind, struct.pack("<f" if kind == F32 else "<I", value)
    words, scores, kinds = zip(*vocabulary())
    return {
        "general.architecture": (STRING, string("llama")),
        "general.name": (STRING, string("tiny")),
        "llama.context_length": number(U32, CONTEXT),
        "llama.embedding_length": number(U32, DIM),
        "llama.block_count": number(U32, 1),
        "llama.feed_forward_length": number(U32, FFN),
        "llama.attention.head_count": number(U32, N_HEADS),
        "llama.attention.layer_norm_rms_epsilon": number(F32, EPSILON),
        "llama.rope.dimension_count": number(U32, DIM // N_HEADS),
        "llama.rope.freq_base": number(F32, THETA),
        "tokenizer.ggml.model": (STRING, string("llama")),
        "tokenizer.ggml.tokens": (ARRAY, array(STRING, words)),
        "tokenizer.ggml.scores": (ARRAY, array(F32, scores)),
        "tokenizer.ggml.token_type": (ARRAY, array(I32, kinds)),
        "tokenizer.ggml.unknown_token_id": number(U32, 0),
        "tokenizer.ggml.bos_token_id": number(U32, 1),
        "tokenizer.ggml.eos_token_id": number(U32, 2),
    }


def write(path, tensors):
    """The model file."""
    entries = metadata()
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(entries))
    for key, (kind, value) in entries.items():
        head += string(key) + struct.pack("<I", kind) + value
    data = b""
    for name, values in tensors.items():
        is_matrix = isinstance(values[0], list)
        shape = (len(values[0]), len(values)) if is_matrix else (len(values),)
        flat = [x for row in values for x in row] if is_matrix else values
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += struct.pack(f"<{len(flat)}f", *flat)
        data += b"\0" * (-len(data) % ALIGNMENT)
    path.write_bytes(head + b"\0" * (-len(head) % ALIGNMENT) + data)


def rms_norm(x, weight):
    scale = 1 / math.sqrt(sum(value * value for value in x) / len(x) + EPSILON)
    return [value * scale * w for value, w in zip(x, weight)]


def times(matrix, x):
    return [sum(w * value for w, value in zip(row, x)) for row in matrix]


def add(x, y):
    return [a + b for a, b in zip(x, y)]


def heads_of(x, position=None):
    """x in N_HEADS parts; with a position each turned by its rotary angles, pairs of neighbours."""
    width = DIM // N_HEADS
    parts = [x[h * width:(h + 1) * width] for h in range(N_HEADS)]
    if position is None:
        return parts
    turned = []
    for part in parts:
        out = []
        for d in range(0, width, 2):
            angle = position * THETA ** (-d / width)
            cos, sin = math.cos(angle), math.sin(angle)
            out += [part[d] * cos - part[d + 1] * sin, part[d] * sin + part[d + 1] * cos]
        turned.append(out)
    return turned


def attend(query, keys, values):
    """One head of the last token over all of them."""
    scores = [sum(a * b for a, b in zip(query, key)) / math.sqrt(len(query)) for key in keys]
    top = max(scores)
    weight = [math.exp(score - top) for score in scores]
    return [sum(w * value[d] for w, value in zip(weight, values)) / sum(weight)
            for d in range(len(query))]


def hidden_state(tensors, tokens):
    """The last token's state after the last norm."""
    w = {name.removeprefix("blk.0.").removesuffix(".weight"): values
         for name, values in tensors.items()}
    inputs = [rms_norm(w["token_embd"][token], w["attn_norm"]) for token in tokens]
    keys = [heads_of(times(w["attn_k"], h), i) for i, h in enumerate(inputs)]
    values = [heads_of(times(w["attn_v"], h)) for h in inputs]
    query = heads_of(times(w["attn_q"], inputs[-1]), len(tokens) - 1)
    mixed = [x for h in range(N_HEADS) for x in attend(
        query[h], [key[h] for key in keys], [value[h] for value in values])]
    x = add(w["token_embd"][tokens[-1]], times(w["attn_output"], mixed))
    h = rms_norm(x, w["ffn_norm"])
    gated = [gate / (1 + math.exp(-gate)) * up
             for gate, up in zip(times(w["ffn_gate"], h), times(w["ffn_up"], h))]
    return rms_norm(add(x, times(w["ffn_down"], gated)), w["output_norm"])
