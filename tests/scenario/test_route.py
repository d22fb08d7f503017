#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""micro-model route, stage 2: a router learns from few pairs which heads matter in which context.

First a model whose right head is known for every context, then the opinion groups of real people
(Polis): heads from data/polis/train, contexts from context.train, figures on other people's pairs.
"""
import json
import random
import re
import shutil
import signal
import subprocess

import models
from harness import PATIENCE, Scenario, clean_environment, main, program, run, shared_data
from reference import dot

# which head decides in which context; the prompt vector tells the context (psi of encoder none)
CONTEXTS = {"kind": ([1.0, 0.0, 0.0, 0.0], 0), "terse": ([0.0, 1.0, 0.0, 0.0], 1),
            "playful": ([0.0, 0.0, 1.0, 0.0], 2)}
SHARPNESS = 6.0  # of the heads: little noise within a context
N_HIDDEN = 16   # of the mlp router
N_HEADS = 32    # of the model of real people
POLIS_ACCURACY, POLIS_NLL = 0.785, 0.455


def make_pairs(seed, n_pairs, named=True):
    """Pairs whose winner the context's head decides; without names only the vector tells it."""
    rng = random.Random(seed)
    pairs = []
    for i in range(n_pairs):
        name = list(CONTEXTS)[i % len(CONTEXTS)]
        prompt, head = CONTEXTS[name]
        answers = [models.random_vector(rng), models.random_vector(rng)]
        answers.sort(key=lambda answer: dot(models.HEADS[head], answer), reverse=True)
        pair = {"prompt": prompt, "chosen": answers[0], "rejected": answers[1]}
        pairs.append(pair | {"context": name} if named else pair)
    return pairs


def write_pairs(path, pairs):
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return path


def write_model(path, kind="linear", mask=(False, False, False)):
    """Sharp heads; a router that knows nothing of contexts yet."""
    tensors = models.vector_tensors(kind)
    tensors["heads.weight"] = [[SHARPNESS * w for w in row] for row in models.HEADS]
    if kind == "linear":
        tensors["router.weight"] = [[0.0] * models.DIM] * models.N_HEADS
    else:
        rng = random.Random(3)
        tensors["router.0.weight"] = [models.random_vector(rng) for _ in range(N_HIDDEN)]
        tensors["router.0.bias"] = [0.0] * N_HIDDEN
        tensors["router.2.weight"] = [[rng.uniform(-0.1, 0.1) for _ in range(N_HIDDEN)]
                                      for _ in range(models.N_HEADS)]
    metadata = models.vector_metadata() | {"heads.mask": json.dumps(list(mask))}
    path.write_bytes(models.safetensors(tensors, metadata))
    return path


class Route(Scenario):
    def setUp(self):
        super().setUp()
        self.model = write_model(self.folder / "model.safetensors")
        self.out = self.folder / "out.safetensors"
        self.data = write_pairs(self.folder / "pairs.jsonl", make_pairs(1, 90))
        self.test = write_pairs(self.folder / "test.jsonl", make_pairs(2, 300))

    def route(self, *options, model=None, data=None, out=None):
        """Adapt to the end; what it printed."""
        status, output, errors = run("micro-model", "route", "--model", model or self.model,
                                     "--data", data or self.data, "--out", out or self.out,
                                     *options)
        self.assertEqual((status, errors), (0, ""))
        return output

    def context_mean(self, model, data=None):
        status, output, errors = run("micro-model", "eval", "--json", "--model", model, "--data",
                                     data or self.test)
        self.assertEqual((status, errors), (0, ""))
        return json.loads(output)["context_mean"]

    def show(self, model):
        return json.loads(run("micro-model", "show", "--json", "--model", model)[1])

    def refuse(self, status, options, *fragments):
        """One line on standard error with these fragments; no file, or the old one."""
        before = self.out.read_bytes() if self.out.exists() else None
        actual, output, errors = run("micro-model", "route", "--model", self.model, "--data",
                                     self.data, "--out", self.out, *options)
        self.assertEqual(actual, status, errors)
        self.assertRegex(errors, r"\Amicro-model route: [^\n]+\n\Z")
        for fragment in fragments:
            self.assertIn(fragment, errors)
        self.assertEqual(self.out.read_bytes() if self.out.exists() else None, before)
        return output


class Learns(Route):
    def test_each_context_gets_its_head(self):
        for kind in ("linear", "mlp"):
            model = write_model(self.folder / f"{kind}.safetensors", kind)
            for method in ("iterate", "closed-form", "auto"):
                before = self.context_mean(model)
                self.route("--method", method, model=model)
                after = self.context_mean(self.out)
                with self.subTest(kind=kind, method=method):
                    self.assertEqual(after["n_contexts"], 3)
                    self.assertLess(before["accuracy"], 0.85)
                    self.assertGreater(after["accuracy"], 0.95)
                    self.assertLess(after["nll"], 0.25)

    def test_the_daemon_weighs_the_right_head_in_each_context(self):
        self.route()
        client = self.start(self.out).new_client()
        for name, (prompt, head) in CONTEXTS.items():
            answer = client.post("/score", {"context": name,
                                            "prompt": models.embedding(prompt),
                                            "responses": [models.embedding([0.0] * models.DIM)]})
            self.assertEqual(answer.status, 200, answer)
            weights = answer.json["weights"]
            self.assertEqual(weights.index(max(weights)), head, name)

    def test_pairs_without_context_are_told_apart_by_their_router_text(self):
        data = write_pairs(self.folder / "unnamed.jsonl", make_pairs(1, 90, named=False))
        printed = json.loads(self.route("--json", "--quiet", data=data))
        self.assertEqual(printed["n_contexts"], 3)
        self.assertGreater(self.context_mean(self.out)["accuracy"], 0.95)

    def test_masked_head_keeps_no_weight(self):
        write_model(self.model, mask=(True, False, False))
        self.route()
        shown = self.show(self.out)
        self.assertEqual(shown["masked"], [0])
        client = self.start(self.out).new_client()
        answer = client.post("/score", {"context": "kind",
                                        "prompt": models.embedding(CONTEXTS["kind"][0]),
                                        "responses": [models.embedding([0.0] * models.DIM)]})
        self.assertEqual(answer.json["weights"][0], 0)

    def test_closed_form_is_an_option_of_its_own(self):
        again = self.folder / "again.safetensors"
        self.route("--method", "closed-form")
        self.route("--closed-form", out=again)
        self.assertEqual(self.out.read_bytes(), again.read_bytes())
        self.refuse(2, ["--closed-form", "--method", "iterate"], "--closed-form",
                    "--method iterate")

    def test_without_out_the_model_itself_is_adapted(self):
        self.route()
        status, _, errors = run("micro-model", "route", "--model", self.model, "--data", self.data)
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(self.model.read_bytes(), self.out.read_bytes())

    def test_heads_and_id_stay_and_the_same_seed_makes_the_same_file(self):
        again = self.folder / "again.safetensors"
        self.route("--seed", "5")
        self.route("--seed", "5", out=again)
        self.assertEqual(self.out.read_bytes(), again.read_bytes())
        self.assertEqual(self.show(self.out)["id"], self.show(self.model)["id"])
        before, after = (models.read_safetensors(path)[0] for path in (self.model, self.out))
        for name in ("heads.weight", "heads.center"):
            self.assertEqual(before[name], after[name])
        self.assertNotEqual(before["router.weight"], after["router.weight"])
        self.route("--seed", "6", out=again)
        self.assertNotEqual(self.out.read_bytes(), again.read_bytes())

    def test_the_same_number_of_threads_makes_the_same_file(self):
        again = self.folder / "again.safetensors"
        self.route("--threads", "2")
        self.route("--threads", "2", out=again)
        self.assertEqual(self.out.read_bytes(), again.read_bytes())
        options = self.show(self.out)["training"]["route.options"]
        self.assertEqual(json.loads(options)["threads"], 2)

    def test_out_may_be_the_model_itself(self):
        shutil.copy(self.model, self.out)
        self.route()
        wanted = self.out.read_bytes()
        self.route(out=self.model)
        self.assertEqual(self.model.read_bytes(), wanted)


class Says(Route):
    def test_file_gets_plain_lines(self):
        lines = self.route().splitlines()
        self.assertEqual(lines[0], f"{self.data}: 90 pairs, 0 users, 3 contexts, 180 responses, "
                                   "3 prompts")
        self.assertRegex(lines[1], r"\A3 heads, linear router, encoder none:4, model [0-9a-f]{64}\Z")
        trials = [line for line in lines if re.fullmatch(
            r"(iterate|closed-form) +tau [\d.]+ +held out: accuracy [01]\.\d{4}, NLL \d\.\d{4}",
            line)]
        self.assertEqual(len(trials), 13)
        self.assertEqual(sum(line.startswith("epoch ") for line in lines), 10)
        self.assertEqual([line.split()[0] for line in lines[-5:-2]],
                         ["before", "iterate", "closed-form"])
        self.assertRegex(lines[-2], r"\A(iterate|closed-form), tau [\d.]+: NLL \d\.\d{4} below "
                                    r"(iterate|closed-form)'s, \d\.\d{4} below the router's "
                                    r"before\Z")
        self.assertRegex(lines[-1], rf"\A{re.escape(str(self.out))}: model [0-9a-f]{{64}}; 90 "
                                    r"pairs, 3 contexts; \d+\.\d s\Z")

    def test_json_is_an_object_a_trial_an_epoch_and_one_for_the_model(self):
        *lines, last = map(json.loads, self.route("--json", "--budget", "60").splitlines())
        trials, epochs = lines[:13], lines[13:]
        self.assertEqual([list(trial) for trial in trials], [["method", "tau", "heldout"]] * 13)
        self.assertEqual([epoch["epoch"] for epoch in epochs], list(range(1, 11)))
        self.assertEqual(list(last), ["model", "out", "kept", "n_pairs", "n_contexts", "method",
                                      "tau", "heldout", "seconds"])
        self.assertIs(last["kept"], False)
        self.assertEqual((last["n_pairs"], last["out"]), (60, str(self.out)))
        best = min(trials, key=lambda trial: trial["heldout"]["nll"])
        self.assertEqual((last["method"], last["tau"]), (best["method"], best["tau"]))
        self.assertEqual(last["heldout"][best["method"]]["nll"], best["heldout"]["nll"])

    def test_quiet_prints_nothing_and_leaves_the_models_object(self):
        self.assertEqual(self.route("--quiet"), "")
        self.assertEqual(self.route("--quiet", "--json").count("\n"), 1)

    def test_facts_are_in_the_model(self):
        self.route("--seed", "7", "--method", "closed-form", "--tau", "2")
        facts = self.show(self.out)["training"]
        self.assertEqual((facts["route.method"], facts["route.tau"], facts["route.seed"],
                          facts["route.pairs"]), ("closed-form", "2", "7", "90"))
        self.assertEqual(json.loads(facts["route.heldout"])["iterate"], None)
        options = json.loads(facts["route.options"])
        self.assertEqual((options["batch"], options["threads"]), (32, 1))
        self.assertIn("route.data.sha256", facts)
        self.assertIn("train.route.method", run("micro-model", "show", "--model", self.out)[1])


class Keeps(Route):
    """Contexts drawn by lot: a router that learns them predicts worse than one that does not."""

    def setUp(self):
        super().setUp()
        rng = random.Random(1)
        pairs = make_pairs(1, 48)
        for pair in pairs:
            pair["context"] = rng.choice(list(CONTEXTS))
            pair["prompt"] = CONTEXTS[pair["context"]][0]
        write_pairs(self.data, pairs)

    def test_a_router_that_nothing_betters_is_kept(self):
        before = self.model.read_bytes()
        output = self.refuse(1, ["--out", self.model], f"{self.model} is not written",
                             "predicts held-out pairs as well", "--method")
        self.assertEqual(self.model.read_bytes(), before)
        *_, advantage, kept = output.splitlines()
        self.assertRegex(advantage, r" \d\.\d{4} above the router's before\Z")
        self.assertRegex(kept, r"\Akept: the router as it is; 48 pairs, 3 contexts; ")
        self.assertEqual(self.refuse(1, ["--quiet"], "is not written"), "")

    def test_json_says_so(self):
        printed = json.loads(self.refuse(1, ["--json", "--quiet"], "is not written"))
        self.assertEqual((printed["kept"], printed["out"]), (True, None))
        best = printed["heldout"][printed["method"]]
        self.assertGreaterEqual(best["nll"], printed["heldout"]["before"]["nll"])

    def test_a_method_that_is_named_is_written_all_the_same(self):
        lines = self.route("--tau", "auto", "--closed-form", "--budget", "40").splitlines()
        self.assertRegex(lines[-2], r"\Aclosed-form, tau \d+: NLL \d\.\d{4} above the router's "
                                    r"before\Z")
        facts = self.show(self.out)["training"]
        self.assertEqual((facts["route.method"], facts["route.pairs"]), ("closed-form", "40"))


class Faults(Route):
    def test_wrong_options_are_refused(self):
        for options, fragments in (
                (["--tau", "warm"], ["--tau warm", "auto or a number"]),
                (["--holdout", "0"], ["--holdout 0", "--method"]),
                (["--method", "em"], ["iterate, closed-form or auto"]),
                (["--out", self.data], ["--out", "--data"])):
            self.refuse(2, options, *fragments)

    def test_static_router_is_refused(self):
        models.write_vector_model(self.model, "static")
        self.refuse(1, [], "static router", "linear or mlp")

    def test_wrong_files_are_refused(self):
        self.refuse(1, ["--model", self.folder / "none"], "none")
        write_pairs(self.data, [{"prompt": [1], "chosen": [1], "rejected": [2]}])
        self.refuse(1, [], "pairs.jsonl", "want 4")

    def test_one_pair_cannot_choose(self):
        write_pairs(self.data, make_pairs(1, 1))
        self.refuse(1, [], "is not written", "of 1 pairs none is held out")
        self.route("--method", "closed-form", "--tau", "1")

    def test_divergence_leaves_the_old_file(self):
        self.out.write_bytes(b"an older model")
        pairs = make_pairs(1, 90)
        for pair in pairs:
            pair["prompt"] = [3e38 * x for x in pair["prompt"]]
        write_pairs(self.data, pairs)
        self.refuse(1, ["--learning-rate", "100"], "diverged", "lower the learning rate")

    def test_ctrl_c_leaves_the_old_file(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.out.write_bytes(b"an older model")
            process = subprocess.Popen(
                [program("micro-model"), "route", "--model", self.model, "--data", self.data,
                 "--out", self.out, "--epochs", "100000", "--method", "iterate", "--tau", "1",
                 "--holdout", "0"],
                stdin=subprocess.DEVNULL, env=clean_environment(), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for line in process.stdout:
                if line.startswith("epoch"):
                    break
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 130)
            self.assertRegex(errors, r"\Amicro-model route: [^\n]+ is not written: interrupted")
            self.assertEqual(self.out.read_bytes(), b"an older model")
            self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                             ["model.safetensors", "out.safetensors", "pairs.jsonl", "test.jsonl"])


class Polis(Route):
    def test_opinion_groups_of_real_people(self):
        train = shared_data("polis/train.jsonl.gz")
        context_train = shared_data("polis/context.train.jsonl.gz")
        context_test = shared_data("polis/context.test.jsonl.gz")
        model = models.trained(train, "--heads", N_HEADS, timeout=20 * PATIENCE)
        printed = json.loads(self.route("--json", "--quiet", model=model, data=context_train))
        before = self.context_mean(model, context_test)
        after = self.context_mean(self.out, context_test)
        print(f"{N_HEADS} heads, mean over {after['n_contexts']} contexts: before "
              f"{before['accuracy']:.4f} / {before['nll']:.4f}, after {printed['method']} at tau "
              f"{printed['tau']:g} {after['accuracy']:.4f} / {after['nll']:.4f}")
        self.assertEqual((printed["n_pairs"], after["n_contexts"]), (1300, 26))
        self.assertGreaterEqual(after["accuracy"], POLIS_ACCURACY)
        self.assertLessEqual(after["nll"], POLIS_NLL)


if __name__ == "__main__":
    main()
