#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Data larger than memory: micro-model embed, and what trains, routes and evaluates on its files."""
import json
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import time
import unittest

from harness import (PATIENCE, ROOT, SANITIZED, Scenario, clean_environment, main, program, run,
                     run_on_terminal, wait_until)

NEED = re.compile(r"needs at most (\d+) MB")
TRAIN = ("--heads", "8", "--quiet")
ROUNDING = 2e-5  # of sums of float32, in a model that was trained with them


def make_contexts(seed, n_pairs=600):
    """Texts with users, contexts for most, the same prompts over and over."""
    rng = random.Random(seed)
    words = [f"word{i}" for i in range(40)]
    pairs = []
    for i in range(n_pairs):
        short = " ".join(rng.sample(words, 3)) + " briefly"
        long = " ".join(rng.sample(words, 8)) + " in detail"
        chosen, rejected = (short, long) if i % 3 == 0 else (long, short)
        pair = {"user": f"u{i % 41}", "prompt": f"question {rng.randrange(7)}", "chosen": chosen,
                "rejected": rejected}
        if i % 5:
            pair["context"] = "brief" if i % 3 == 0 else "tell me all"
        pairs.append(pair)
    return pairs


def write_pairs(path, pairs):
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return path


def run_limited(limit, name, *arguments):
    """A program with that much address space: its output and the most memory it had at a time.

    OpenBLAS starts a thread for every core and reserves address space for each, which is no
    memory but counts here: on a machine with many cores more than the whole limit.
    """
    def set_limit():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    process = subprocess.Popen([str(a) for a in (program(name), *arguments)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=set_limit,
                               env=clean_environment(OPENBLAS_NUM_THREADS="1"))
    output = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, output, usage.ru_maxrss * 1024


class Scale(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.environment = clean_environment()

    def tool(self, *arguments):
        status, output, errors = run("micro-model", *arguments)
        self.assertEqual((status, errors), (0, ""), arguments)
        return output

    def refuse(self, *arguments):
        """What a run that fails says, in one line."""
        status, output, errors = run("micro-model", *arguments)
        self.assertEqual((status, output, errors.count("\n")), (1, "", 1), errors)
        return errors

    def demo(self):
        subprocess.run([sys.executable, ROOT / "deploy" / "demo-data.py", self.folder],
                       check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
        return self.folder / "train.jsonl", self.folder / "test.jsonl"

    def facts(self, model):
        return json.loads(self.tool("show", "--json", "--model", model))["training"]

    def embed(self, data, out, *options):
        out = self.folder / out
        return out, json.loads(self.tool("embed", "--data", data, "--out", out, "--json",
                                         *options))

    def assert_same(self, got, expected, tolerance=ROUNDING, where=""):
        """Two results of the same shape, numbers near each other, but for what names a run."""
        if isinstance(expected, dict):
            self.assertEqual(got.keys(), expected.keys(), where)
            for key in expected.keys() - {"seconds", "out", "model", "id"}:
                self.assert_same(got[key], expected[key], tolerance, f"{where}/{key}")
        elif isinstance(expected, list):
            self.assertEqual(len(got), len(expected), where)
            for i, (g, e) in enumerate(zip(got, expected)):
                self.assert_same(g, e, tolerance, f"{where}/{i}")
        elif isinstance(expected, float):
            self.assert_near(got, expected, tolerance, where)
        else:
            self.assertEqual(got, expected, where)

    def scores(self, model, data):
        return json.loads(self.tool("eval", "--model", model, "--data", data, "--shots", "0,4",
                                    "--json"))

    # -- larger than memory --

    @unittest.skipIf(SANITIZED, "a sanitizer's own address space is larger than any limit")
    def test_a_file_of_three_times_the_memory_goes_through_everything(self):
        train, _ = self.demo()
        features, told = self.embed(train, "f.safetensors", "--encoder", "hash:8192")
        limit = told["n_bytes"] // 3
        model = self.folder / "m.safetensors"
        self.assertGreater(told["n_bytes"], 1.1e9)
        for objective in ("drm", "panel", "micro"):
            epochs = () if objective == "drm" else ("--epochs", "1")
            status, output, most = run_limited(
                limit, "micro-model", "train", "--data", features, "--out", model, *epochs,
                "--heads", "8", "--objective", objective)
            self.assertEqual(status, 0, output)
            need = int(NEED.search(output)[1]) * 1e6
            print(f"{objective}: {told['n_bytes'] / 1e6:.0f} MB of features, limit "
                  f"{limit / 1e6:.0f} MB, needs at most {need / 1e6:.0f} MB, had {most / 1e6:.0f}")
            self.assertLess(most, need)
            self.assertLess(need, limit)
        for arguments in (("eval", "--shots", "0,4"), ("heads",),
                          ("route", "--out", self.folder / "r.safetensors", "--budget", "2000",
                           "--epochs", "1", "--method", "iterate", "--tau", "0.1", "--holdout",
                           "0")):
            command, *options = arguments
            status, output, most = run_limited(limit, "micro-model", command, "--model", model,
                                               "--data", features, *options)
            self.assertEqual(status, 0, output)
            self.assertLess(most, limit)

    @unittest.skipIf(SANITIZED, "a sanitizer's own memory counts")
    def test_many_names_and_small_vectors_stay_below_the_stated_memory(self):
        data = self.folder / "names.jsonl"
        with data.open("w", encoding="utf-8") as out:
            for i in range(60000):
                out.write(json.dumps({"user": f"user {i // 2:030}", "prompt": [0.5, 1],
                                      "chosen": [i % 7, 1], "rejected": [i % 5, -1]}) + "\n")
        features, told = self.embed(data, "f.safetensors", "--encoder", "none:2")
        self.assertEqual(told["n_users"], 30000)
        for threads in ("1", "2"):
            status, output, most = run_limited(
                resource.RLIM_INFINITY, "micro-model", "train", "--data", features, "--out",
                self.folder / "m.safetensors", "--epochs", "1", "--threads", threads)
            self.assertEqual(status, 0, output)
            self.assertLess(most, int(NEED.search(output)[1]) * 1e6)

    # -- the same results --

    def test_models_are_as_good_as_those_trained_on_the_texts(self):
        train, test = self.demo()
        for spec, kind, tolerance in (("hash:512", "f32", 1e-4), ("hash:512", "f16", 1e-3),
                                      ("hash:512", "bf16", 1e-3), ("hash:1024", "f32", 1e-3)):
            # 12,000 vectors of 1024 float32 are several buffers, the others one
            from_texts, from_file = self.folder / "t.safetensors", self.folder / "m.safetensors"
            features, _ = self.embed(train, "f.safetensors", "--encoder", spec, "--dtype", kind)
            self.tool("train", "--data", train, "--out", from_texts, "--encoder", spec, *TRAIN)
            self.tool("train", "--data", features, "--out", from_file, *TRAIN)
            self.assertEqual([self.facts(path).get("data.dtype")
                              for path in (from_texts, from_file)], [None, kind.upper()])
            expected, got = self.scores(from_texts, test), self.scores(from_file, test)
            self.assert_near(got["nll"], expected["nll"], tolerance, f"{spec} {kind}")
            for g, e in zip(got["shots"], expected["shots"]):
                self.assert_near(g["nll"], e["nll"], tolerance, f"{spec} {kind} {e['shots']}")

    def test_same_file_options_and_seed_make_the_same_model(self):
        train, _ = self.demo()
        features, _ = self.embed(train, "f.safetensors", "--encoder", "hash:1024")
        made = []
        for threads in ("1", "1", "2"):
            self.tool("train", "--data", features, "--out", self.folder / "m.safetensors",
                      "--threads", threads, "--epochs", "2", *TRAIN)
            made.append((self.folder / "m.safetensors").read_bytes())
        self.assertEqual(made[0], made[1])
        self.assertEqual(made[0], made[2])

    def test_eval_heads_and_route_say_the_same_of_both(self):
        data = write_pairs(self.folder / "pairs.jsonl", make_contexts(1))
        model = self.folder / "m.safetensors"
        self.tool("train", "--data", data, "--out", model, "--encoder", "hash:256", "--heads", "4",
                  "--quiet")
        features, _ = self.embed(data, "f.safetensors", "--model", model)
        self.assert_same(self.scores(model, features), self.scores(model, data))
        for arguments in (("heads", "--data"), ("route", "--out", self.folder / "r.safetensors",
                                               "--quiet", "--data")):
            command, *options = arguments
            said = [json.loads(self.tool(command, "--model", model, "--json", *options, file))
                    for file in (data, features)]
            self.assert_same(json.loads(json.dumps(said[1]).replace(str(features), "DATA")),
                             json.loads(json.dumps(said[0]).replace(str(data), "DATA")), 2e-3)
        self.assertEqual(self.facts(self.folder / "r.safetensors")["route.data.dtype"], "F32")

    def test_comparison_takes_features_files(self):
        texts, features = [], []
        for seed, name in ((1, "train"), (2, "test")):
            pairs = [pair for pair in make_contexts(seed, 1200) if "context" in pair]
            texts.append(write_pairs(self.folder / f"{name}.jsonl", pairs))
            features.append(self.embed(texts[-1], f"{name}.safetensors", "--encoder",
                                       "hash:64")[0])
        said = []
        for data, test in (texts, features):
            said.append(json.loads(self.tool(
                "eval", "--compare", "all", "--data", data, "--test", test, "--route", data,
                "--heads", "3", "--seeds", "1", "--heads-curve", "2,3", "--budgets", "100",
                "--encoder", "hash:64", "--report", self.folder / "page.html", "--json",
                "--quiet")))
        texts, features = said
        self.assertEqual(len(features["methods"]), 8)
        self.assertEqual([m["name"] for m in features["methods"]],
                         [m["name"] for m in texts["methods"]])
        for got, expected in zip(features["methods"], texts["methods"]):
            for key in ("overall", "context_mean", "shots"):
                self.assert_same(got[key], expected[key], 0.02, f"{got['name']} {key}")
        self.assertEqual(set(features["router_map"]["prompts"]), {"brief", "tell me all"})
        self.assertEqual(len(features["head_map"]["accuracy"]), 2)

    def test_diagnosis_wants_the_texts(self):
        # a features file has a row for each pair, and no longer tells which pairs are the same
        data = write_pairs(self.folder / "pairs.jsonl", make_contexts(1, 100))
        features, _ = self.embed(data, "f.safetensors", "--encoder", "hash:64")
        status, output, errors = run("micro-model", "diagnose", "--data", features)
        self.assertEqual((status, output, errors.count("\n")), (2, "", 1), errors)
        self.assertIn(f"--data {features}: a features file", errors)

    def test_audit_takes_a_features_file_too(self):
        data = write_pairs(self.folder / "pairs.jsonl", make_contexts(1))
        model, out = self.folder / "m.safetensors", self.folder / "a.safetensors"
        self.tool("train", "--data", data, "--out", model, "--encoder", "hash:64", "--heads", "3",
                  "--quiet")
        features, _ = self.embed(data, "f.safetensors", "--model", model)
        masked = []
        for file in (data, features):
            self.tool("heads", "--model", model, "--out", out, "--audit", file,
                      "--audit-threshold", "0.9")
            masked.append(json.loads(self.tool("show", "--model", out, "--json"))["masked"])
        self.assertEqual(masked[0], masked[1])

    # -- what a terminal shows --

    def test_embed_draws_a_bar_and_no_colour_is_obeyed(self):
        train, _ = self.demo()
        arguments = ("embed", "--data", train, "--out", self.folder / "f.safetensors", "--encoder",
                     "hash:512")
        for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            status, output, errors = run_on_terminal("micro-model", *arguments, env=env)
            self.assertEqual((status, errors), (0, ""))
            self.assertIn("\r\x1b[K", output)
            self.assertRegex(re.sub(r"\x1b\[[\d;]*m", "", output), r"\d+/12000 pairs  #*\.+ ")
            self.assertEqual(re.search(r"\x1b\[\d[\d;]*m", output) is not None, coloured)
        self.assertNotIn("\x1b", self.tool(*arguments))

    # -- interruptions --

    def start_embedding(self, data, out, *options):
        return subprocess.Popen([program("micro-model"), "embed", "--data", data, "--out", out,
                                 "--quiet", *options], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, env=self.environment)

    def wait_for_bytes(self, process, path, n_bytes):
        """Until so much of the file is written; holes do not count."""
        wait_until(lambda: process.poll() is not None or
                   (path.exists() and path.stat().st_blocks * 512 >= n_bytes), "the file")

    def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(self):
        train, _ = self.demo()
        options = ("--encoder", "hash:2048", "--dtype", "bf16")
        whole, told = self.embed(train, "whole.safetensors", *options)
        out, part = self.folder / "f.safetensors", self.folder / "f.safetensors.part"
        rng = random.Random(5)
        n_kills = 0
        for _ in range(12):
            process = self.start_embedding(train, out, *options)
            time.sleep(rng.uniform(0, 0.6))
            process.kill()
            process.wait(PATIENCE)
            process.stderr.close()
            n_kills += process.returncode == -signal.SIGKILL
            self.assertTrue(part.exists() or out.exists() or n_kills > 0)
        self.assertGreater(n_kills, 3)
        _, told = self.embed(train, "f.safetensors", *options)
        self.assertFalse(part.exists())
        self.assertEqual(out.read_bytes(), whole.read_bytes())

    def test_ctrl_c_keeps_what_is_done(self):
        train, _ = self.demo()
        options = ("--encoder", "hash:8192", "--dtype", "bf16")
        out, part = self.folder / "f.safetensors", self.folder / "f.safetensors.part"
        process = self.start_embedding(train, out, *options)
        self.wait_for_bytes(process, part, 1 << 20)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, errors)
        self.assertRegex(errors, r"keeps \d+ of 12000 pairs, and the same command goes on")
        n_kept = int(re.search(r"keeps (\d+) of", errors)[1])
        self.assertGreater(n_kept, 0)

        # another recipe is not mixed in
        said = self.refuse("embed", "--data", train, "--out", out, "--encoder", "hash:64")
        self.assertIn("was begun with encoder hash:8192, now hash:64", said)
        said = self.refuse("embed", "--data", train, "--out", out, "--encoder", "hash:8192")
        self.assertIn("was begun with dtype BF16, now F32", said)

        _, told = self.embed(train, "f.safetensors", *options)
        self.assertEqual(told["n_resumed"], n_kept)
        _, again = self.embed(train, "whole.safetensors", *options)
        self.assertEqual(again["n_resumed"], 0)
        self.assertEqual(out.read_bytes(), (self.folder / "whole.safetensors").read_bytes())

    def test_two_at_a_time_do_not_write_one_file(self):
        train, _ = self.demo()
        out, part = self.folder / "f.safetensors", self.folder / "f.safetensors.part"
        process = self.start_embedding(train, out, "--encoder", "hash:8192")
        self.wait_for_bytes(process, part, 1)  # it is locked before anything is written
        process.send_signal(signal.SIGSTOP)
        said = self.refuse("embed", "--data", train, "--out", out, "--encoder", "hash:8192")
        process.kill()
        process.communicate(timeout=PATIENCE)
        self.assertIn("another process is writing it", said)

    # -- files of others, and refusals --

    def test_a_file_that_names_nothing_is_for_vectors_and_users_are_numbers(self):
        numbers = [[1.0, 0.0], [0.0, 1.0], [0.5, -0.5], [2.0, 1.0]]
        data = [struct.pack("<2f", *row) for row in numbers]
        tensors = {"chosen": data, "rejected": data[::-1], "prompt": data}
        header, at, body = {}, 0, b""
        for name, rows in tensors.items():
            header[name] = {"dtype": "F32", "shape": [4, 2], "data_offsets": [at, at + 32]}
            at += 32
            body += b"".join(rows)
        header["user"] = {"dtype": "I32", "shape": [4], "data_offsets": [at, at + 16]}
        body += struct.pack("<4i", 2000000000, 7, -1, 7)
        text = json.dumps(header).encode()
        path = self.folder / "foreign.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + body)
        said = self.tool("train", "--data", path, "--out", self.folder / "m.safetensors",
                         "--heads", "2", "--epochs", "1", "--holdout", "0")
        self.assertIn("4 pairs, 2 users", said)
        self.assertIn("encoder none:2", said)
        said = self.refuse("train", "--data", path, "--out", self.folder / "m.safetensors",
                           "--encoder", "hash:2")
        self.assertIn("no __metadata__ says which encoder made the features", said)

    def test_numbers_that_float16_cannot_hold_are_named(self):
        data = write_pairs(self.folder / "pairs.jsonl",
                           [{"prompt": [0, 0], "chosen": [1, 2], "rejected": [1, 2]},
                            {"prompt": [0, 0], "chosen": [1, 2], "rejected": [1, 70000]}])
        said = self.refuse("embed", "--data", data, "--out", self.folder / "f.safetensors",
                           "--encoder", "none:2", "--dtype", "f16")
        self.assertIn("pairs.jsonl:2: /rejected: number 1, 70000, is too large for F16", said)

    def test_features_of_another_encoder_are_refused(self):
        data = write_pairs(self.folder / "pairs.jsonl", make_contexts(1))
        model = self.folder / "m.safetensors"
        self.tool("train", "--data", data, "--out", model, "--encoder", "hash:64", "--heads", "2",
                  "--epochs", "1", "--quiet")
        features, _ = self.embed(data, "f.safetensors", "--encoder", "hash:32")
        said = self.refuse("eval", "--model", model, "--data", features)
        self.assertIn("encoder: the features were made with hash:32, want hash:64", said)
        features, _ = self.embed(data, "f.safetensors", "--encoder", "hash:64", "--template-phi",
                                 "{prompt}{response}")
        said = self.refuse("eval", "--model", model, "--data", features)
        self.assertIn("template.phi: the features were made with {prompt}{response}", said)


if __name__ == "__main__":
    main()
