#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
train_torch.py - stage 1 of micro-model train, written plainly in PyTorch:

  python3 train_torch.py FOLDER START BATCH EPOCHS LEARNING_RATE THREADS

Trains on FOLDER/train.safetensors, from the weights of the model file START, with the loss
of MiCRo eq. 2-4, AdamW, a learning rate that falls linearly to zero, and the defaults of
micro-model train for the rest; prints one JSON object: pairs_per_second over all epochs but
the last, and nll on FOLDER/test.safetensors.
"""
import ctypes
import json
import math
import os
import pathlib
import sys
import time

import numpy
import torch

ALPHA = 0.5
WEIGHT_DECAY = 0.01


def read(path):
    """The tensors of a safetensors file of float32, by name."""
    raw = numpy.fromfile(path, dtype="u1")
    n_header = int.from_bytes(raw[:8].tobytes(), "little")
    header = json.loads(raw[8:8 + n_header].tobytes())
    data = raw[8 + n_header:]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = torch.from_numpy(data[begin:end].view("<f4").reshape(entry["shape"]))
    return tensors


class Mixture(torch.nn.Module):
    def __init__(self, start):
        super().__init__()
        n_heads, dim = start["heads.weight"].shape
        n_hidden = len(start["router.0.bias"])
        self.heads = torch.nn.Linear(dim, n_heads, bias=False)
        self.router = torch.nn.Sequential(
            torch.nn.Linear(dim, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, n_heads))
        self.heads.load_state_dict({"weight": start["heads.weight"]})
        self.router.load_state_dict({name.removeprefix("router."): tensor
                                     for name, tensor in start.items()
                                     if name.startswith("router.")})

    def forward(self, prompt, chosen, rejected):
        """NLL and regularizer of each pair"""
        log_weight = torch.log_softmax(self.router(prompt), dim=1)
        margin = self.heads(chosen) - self.heads(rejected)
        nll = -torch.logsumexp(log_weight + torch.nn.functional.logsigmoid(margin), dim=1)
        return nll, (log_weight.exp() * log_weight).sum(dim=1)


def train(model, data, batch, epochs, learning_rate):
    """Trains; returns pairs a second over all epochs but the last."""
    n = len(data["prompt"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate,
                                  weight_decay=WEIGHT_DECAY)
    n_steps = epochs * math.ceil(n / batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
    began = time.perf_counter()
    for epoch in range(epochs):
        if epoch == epochs - 1:
            seconds = time.perf_counter() - began
        order = torch.randperm(n)
        for i in range(0, n, batch):
            rows = order[i:i + batch]
            nll, regularizer = model(data["prompt"][rows], data["chosen"][rows],
                                     data["rejected"][rows])
            loss = (nll + ALPHA * regularizer).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return n * (epochs - 1) / seconds


def choose_kernel():
    """What core/math/linalg.c does, for PyTorch too, whose products are OpenBLAS's as well."""
    blas = ctypes.CDLL("libopenblas.so.0")
    blas.openblas_get_corename.restype = ctypes.c_char_p
    if blas.openblas_get_corename() != b"Prescott" or "OPENBLAS_CORETYPE" in os.environ:
        return
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    if {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"} <= set(flags):
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    elif {"avx2", "fma"} <= set(flags):
        os.environ["OPENBLAS_CORETYPE"] = "Haswell"
    else:
        return
    os.execv(sys.executable, [sys.executable, *sys.argv])


def main():
    choose_kernel()
    folder = pathlib.Path(sys.argv[1])
    batch, epochs = map(int, sys.argv[3:5])
    learning_rate = float(sys.argv[5])
    torch.set_num_threads(int(sys.argv[6]))
    torch.manual_seed(1)
    data, test = read(folder / "train.safetensors"), read(folder / "test.safetensors")
    model = Mixture(read(sys.argv[2]))
    rate = train(model, data, batch, epochs, learning_rate)
    with torch.no_grad():
        nll, _ = model(test["prompt"], test["chosen"], test["rejected"])
    print(json.dumps({"pairs_per_second": rate, "nll": nll.mean().item()}))


main()
