#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of the model's mathematics: heads, routers, mixture, hedge, random numbers.

The equations are written down literally in 60 decimal digits, without log space and without any
trick against overflow, so that the C code, which needs both, is held against something else than
itself. Inputs are float32 numbers; results are rounded once, when they are printed.

    tests/golden/model_reference.py > tests/golden/model.json
"""
import hashlib
import json
import random
import struct
import sys
from decimal import Decimal, getcontext, localcontext

getcontext().prec = 60
getcontext().Emax = 10 ** 9
getcontext().Emin = -(10 ** 9)

N_HEADS, DIM, N_HIDDEN, N_ROWS = 5, 7, 6, 4


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def exact(values):
    """Floats, nested or not, as exact decimals."""
    return [exact(v) if isinstance(v, list) else Decimal(v) for v in values]


def rounded(value):
    """Decimals, nested or not, as the nearest doubles; minus infinity is null."""
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return None if value is None or value.is_infinite() else float(value)


def dot(x, y):
    return sum((a * b for a, b in zip(x, y)), Decimal(0))


def log(x):
    return x.ln() if x > 0 else Decimal("-Infinity")


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def softmax(x):
    """exp(x_k) / sum_j exp(x_j); None entries are heads taken out"""
    e = [Decimal(0) if v is None else v.exp() for v in x]
    return [v / sum(e) for v in e]


class Draw:
    """Seeded float32 numbers."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def vector(self, n, scale=1.0):
        return [float32(self.random.gauss(0, scale)) for _ in range(n)]

    def matrix(self, n_rows, n_columns, scale=1.0):
        return [self.vector(n_columns, scale) for _ in range(n_rows)]

    def sparse(self, n, n_zeros):
        x = self.vector(n)
        for i in self.random.sample(range(n), n_zeros):
            x[i] = 0.0
        return x


# ---- r_k(x,a) = W_k . phi(x,a) ----

def heads_case(draw):
    weight = draw.matrix(N_HEADS, DIM)
    phi = [draw.sparse(DIM, i) for i in range(N_ROWS)]
    w = exact(weight)
    norms = [dot(row, row).sqrt() for row in w]
    return {
        "weight": weight, "phi": phi,
        "rewards": rounded([[dot(row, x) for row in w] for x in exact(phi)]),
        "similarity": rounded([[dot(a, b) / (na * nb) for b, nb in zip(w, norms)]
                               for a, na in zip(w, norms)]),
    }


def model_id_case(draw):
    """SHA-256 of encoder spec, n_heads, dim (NUL-terminated), heads.weight, heads.center"""
    weight, center, encoder = draw.matrix(N_HEADS, DIM), draw.vector(N_HEADS), f"none:{DIM}"
    digest = hashlib.sha256()
    for text in (encoder, str(N_HEADS), str(DIM)):
        digest.update(text.encode() + b"\0")
    for row in weight + [center]:
        digest.update(struct.pack(f"<{len(row)}f", *row))
    return {"encoder": encoder, "weight": weight, "center": center, "id": digest.hexdigest()}


# ---- g(c,x): static, linear, mlp D -> H (ReLU) -> K ----

def affine(weight, bias, x):
    return [dot(row, x) + b for row, b in zip(weight, bias)]


def router_logits(kind, tensors, psi):
    t = {name: exact(values) for name, values in tensors.items()}
    if kind == "static":
        return t["router.bias"]
    if kind == "linear":
        return affine(t["router.weight"], t["router.bias"], psi)
    hidden = [max(Decimal(0), v) for v in affine(t["router.0.weight"], t["router.0.bias"], psi)]
    return affine(t["router.2.weight"], t["router.2.bias"], hidden)


def router_case(kind, draw):
    tensors = {
        "static": lambda: {"router.bias": draw.vector(N_HEADS)},
        "linear": lambda: {"router.weight": draw.matrix(N_HEADS, DIM),
                           "router.bias": draw.vector(N_HEADS)},
        "mlp": lambda: {"router.0.weight": draw.matrix(N_HIDDEN, DIM),
                        "router.0.bias": draw.vector(N_HIDDEN),
                        "router.2.weight": draw.matrix(N_HEADS, N_HIDDEN),
                        "router.2.bias": draw.vector(N_HEADS)},
    }[kind]()
    psi = [draw.sparse(DIM, i) for i in range(N_ROWS)]
    return {"kind": kind, "tensors": tensors, "psi": psi,
            "logits": rounded([router_logits(kind, tensors, x) for x in exact(psi)])}


# ---- f = softmax(g + s); P(a > b) = sum_k f_k sigmoid(r_k(a) - r_k(b)), eq. (1) ----

def mixture_case(logits, bias, mask, reward_a, reward_b, center):
    s = [Decimal(0)] * len(logits) if bias is None else exact(bias)
    g = [None if mask is not None and mask[k] else Decimal(logits[k]) + s[k]
         for k in range(len(logits))]
    w = softmax(g)
    a, b, c = exact(reward_a), exact(reward_b), exact(center)
    return {
        "logits": logits, "bias": bias, "mask": mask,
        "reward_a": reward_a, "reward_b": reward_b, "center": center,
        "log_weights": rounded([log(v) for v in w]),
        "reward": rounded(sum(wk * (rk - ck) for wk, rk, ck in zip(w, a, c))),
        "log_preference": rounded(log(sum(wk * sigmoid(x - y) for wk, x, y in zip(w, a, b)))),
    }


def mixture_cases(draw):
    plain = [draw.vector(N_HEADS, 3) for _ in range(4)]
    extreme = [10000.0, -10000.0, 0.0, 9999.0, -3e38]
    return [
        mixture_case(plain[0], None, None, plain[1], plain[2], plain[3]),
        mixture_case(plain[0], draw.vector(N_HEADS), None, plain[1], plain[2], plain[3]),
        mixture_case(plain[0], draw.vector(N_HEADS), [False, True, False, False, True],
                     plain[1], plain[2], plain[3]),
        mixture_case([0.0], None, None, [1.5], [-0.5], [0.25]),
        mixture_case([10000.0, -10000.0, 0.0, 9999.0, -20000.0], None, None,
                     [-800.0, 800.0, 0.0, -900.0, 5000.0], [0.0] * N_HEADS, [0.0] * N_HEADS),
        mixture_case(plain[0], [-1000.0, -0.5, -2000.0, -700.0, -1.0], None,
                     [-2000.0, -3000.0, -2500.0, -1e4, -2000.5], [0.0] * N_HEADS, plain[3]),
        mixture_case([0.0] * N_HEADS, None, [True, True, True, True, False],
                     extreme[:4] + [0.0], [0.0] * N_HEADS, [0.0] * N_HEADS),
    ]


# ---- s_k <- s_k - L_k / tau * strength, logsumexp(s) = 0; share: w <- (1 - d) w + d / K ----

def hedge_case(draw, n_steps, temperature, strength, drift):
    chosen = draw.matrix(n_steps, N_HEADS, 2)
    rejected = draw.matrix(n_steps, N_HEADS, 2)
    tau, eta, d = Decimal(temperature), Decimal(strength), Decimal(drift)
    w = [1 / Decimal(N_HEADS)] * N_HEADS
    losses, states = [], []
    for a, b in zip(exact(chosen), exact(rejected)):
        loss = [-log(sigmoid(x - y)) for x, y in zip(a, b)]
        raw = [wk * (-lk / tau * eta).exp() for wk, lk in zip(w, loss)]
        w = [(1 - d) * v / sum(raw) + d / N_HEADS for v in raw]
        losses.append(loss)
        states.append([log(v) for v in w])
    return {"temperature": temperature, "strength": strength, "drift": drift,
            "reward_chosen": chosen, "reward_rejected": rejected,
            "losses": rounded(losses), "log_weights": rounded(states)}


def log_sigmoid_case():
    x = [0.0, 1e-300, 1e-9, -1e-9, 0.5, -0.5, 1.0, -1.0, 20.0, -20.0, 36.8, -36.8, 100.0, -100.0,
         700.0, -700.0, 740.0, -740.0, -1e300]
    with localcontext() as context:
        context.prec = 400  # 1 - exp(-740) begins with 321 nines
        y = [log(sigmoid(Decimal(v))) if abs(v) < 1e5 else Decimal(v) for v in x]
    return {"x": x, "y": rounded(y)}


# ---- xoshiro256** seeded through splitmix64 ----

def xoshiro(seed, n):
    bits = 2 ** 64 - 1
    state = []
    for _ in range(4):
        seed = (seed + 0x9E3779B97F4A7C15) & bits
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & bits
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & bits
        state.append(z ^ (z >> 31))

    def rotate(x, k):
        return ((x << k) | (x >> (64 - k))) & bits

    numbers = []
    for _ in range(n):
        numbers.append(rotate(state[1] * 5 & bits, 7) * 9 & bits)
        t = state[1] << 17 & bits
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= t
        state[3] = rotate(state[3], 45)
    return numbers


def rng_case(seed):
    numbers = xoshiro(seed, 8)
    # as text: JSON readers may take integers beyond 2^63 for something else
    return {"seed": str(seed), "next": [str(x) for x in numbers],
            "uniform": [(x >> 11) / 2 ** 53 for x in numbers]}


def main():
    draw = Draw(20250524)
    json.dump({
        "heads": heads_case(draw),
        "routers": [router_case(kind, draw) for kind in ("static", "linear", "mlp")],
        "mixture": mixture_cases(draw),
        "hedge": [hedge_case(draw, 6, 1.0, 1.0, 0.0), hedge_case(draw, 6, 0.25, 1.0, 0.0),
                  hedge_case(draw, 6, 2.0, 0.5, 0.125), hedge_case(draw, 6, 0.001, 1.0, 0.01),
                  hedge_case(draw, 6, 1.0, 0.0, 0.25)],
        "log_sigmoid": log_sigmoid_case(),
        "model_id": model_id_case(draw),
        "rng": [rng_case(seed) for seed in (0, 1, 42, 2 ** 64 - 1)],
    }, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
