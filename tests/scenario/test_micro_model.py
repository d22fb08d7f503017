#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line of micro-model: what people see, what programs read, what a fault leaves."""
import gzip
import hashlib
import json
import os
import random
import re
import signal
import subprocess

import models
from harness import PATIENCE, Scenario, clean_environment, main, program, run, run_on_terminal

EPOCH_LINE = re.compile(r"epoch +(\d+)/(\d+)  NLL \d\.\d{4}  held out: accuracy [01]\.\d{4}, "
                        r"NLL \d\.\d{4}  \d+ pairs/s  \d+:\d\d left")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
WIPE = "\r\x1b[K"
FOREVER = ("--epochs", "100000")
SHORT = ("--encoder", "hash:64", "--heads", "2", "--epochs", "3", "--batch", "16")


def make_pairs(seed, n_users=20, n_pairs=8):
    """Users of two tastes, short or long answers, in two contexts."""
    rng = random.Random(seed)
    words = [f"word{i}" for i in range(40)]
    pairs = []
    for user in range(n_users):
        for i in range(n_pairs):
            short = " ".join(rng.sample(words, 3)) + " briefly"
            long = " ".join(rng.sample(words, 8)) + " in detail"
            chosen, rejected = (short, long) if user % 2 == 0 else (long, short)
            pairs.append({"user": f"u{user}", "context": "work" if i % 4 else "home",
                          "prompt": f"question {rng.randrange(5)}", "chosen": chosen,
                          "rejected": rejected})
    return pairs


def write_pairs(path, pairs):
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return path


class MicroModel(Scenario):
    def setUp(self):
        super().setUp()
        self.data = write_pairs(self.folder / "pairs.jsonl", make_pairs(1))
        self.model = self.folder / "model.safetensors"

    def train(self, *options, data=None, out=None):
        """Train to the end; what it printed."""
        status, output, errors = run("micro-model", "train", "--data", data or self.data, "--out",
                                     out or self.model, *SHORT, *options)
        self.assertEqual((status, errors), (0, ""))
        return output

    def evaluate(self, *options):
        status, output, errors = run("micro-model", "eval", "--model", self.model, "--data",
                                     self.data, *options)
        self.assertEqual((status, errors), (0, ""))
        return output

    def start_training(self, *options, **more):
        """A training without end; gives the process after its first epoch."""
        process = subprocess.Popen(
            [program("micro-model"), "train", "--data", self.data, "--out", self.model, *SHORT,
             *FOREVER, *options], stdin=subprocess.DEVNULL, env=clean_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.addCleanup(self.end, process)
        for line in process.stdout:
            if line.startswith("epoch"):
                return process
        self.fail(f"no epoch:\n{process.stderr.read()}")

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def on_terminal(self, *arguments, columns=100, **env):
        """Run to the end with a terminal as standard output; (exit status, what it got)."""
        status, output, errors = run_on_terminal("micro-model", *arguments, columns=columns,
                                                 env=env)
        self.assertEqual(errors, "")
        return status, output

    def assert_refused(self, status, arguments, *fragments):
        """One line on standard error with these fragments, nothing on standard output."""
        actual, output, errors = run("micro-model", *arguments)
        self.assertEqual((actual, output), (status, ""), f"{arguments}\n{errors}")
        self.assertRegex(errors, r"\Amicro-model( train| route| eval| show)?: [^\n]+\n\Z")
        for fragment in fragments:
            self.assertIn(fragment, errors)


class Train(MicroModel):
    def test_file_gets_plain_lines(self):
        lines = self.train("--seed", "5").splitlines()
        self.assertEqual(lines[0], f"{self.data}: 160 pairs, 20 users, 2 contexts, "
                                   f"{len(self.responses())} responses, 10 prompts")
        self.assertEqual(lines[1],
                         "2 heads, linear router, encoder hash:64, objective panel")
        epochs = [EPOCH_LINE.fullmatch(line) for line in lines[2:-1]]
        self.assertTrue(all(epochs), lines)
        self.assertEqual([match.groups() for match in epochs],
                         [("1", "3"), ("2", "3"), ("3", "3")])
        self.assertRegex(lines[-1], rf"\A{re.escape(str(self.model))}: model [0-9a-f]{{64}}; "
                                    r"held out: accuracy [01]\.\d{4}, NLL \d\.\d{4}; \d+\.\d s\Z")

    def responses(self):
        pairs = [json.loads(line) for line in self.data.read_text().splitlines()]
        return {pair[field] for pair in pairs for field in ("chosen", "rejected")}

    def test_json_is_an_object_an_epoch_and_one_for_the_model(self):
        *epochs, last = map(json.loads, self.train("--json").splitlines())
        for number, epoch in enumerate(epochs, 1):
            self.assertEqual(list(epoch), ["epoch", "epochs", "nll", "heldout",
                                           "pairs_per_second", "seconds"])
            self.assertEqual((epoch["epoch"], epoch["epochs"]), (number, 3))
            self.assertEqual(list(epoch["heldout"]), ["n_pairs", "accuracy", "nll"])
        self.assertEqual(len(epochs), 3)
        self.assertEqual(list(last), ["model", "out", "n_pairs", "heldout", "seconds"])
        self.assertEqual((last["out"], last["n_pairs"]), (str(self.model), 160))
        self.assertEqual(last["heldout"]["n_pairs"], 8)
        shown = json.loads(run("micro-model", "show", "--json", "--model", self.model)[1])
        self.assertEqual(shown["id"], last["model"])

    def test_quiet_prints_nothing_and_leaves_the_models_object(self):
        self.assertEqual(self.train("--quiet"), "")
        lines = self.train("--quiet", "--json").splitlines()
        self.assertEqual(len(lines), 1)
        self.assertIn("model", json.loads(lines[0]))

    def test_nothing_held_out_has_no_figures(self):
        output = self.train("--holdout", "0")
        self.assertNotIn("held out", output)
        *epochs, last = map(json.loads, self.train("--holdout", "0", "--json").splitlines())
        self.assertEqual([line["heldout"] for line in [*epochs, last]], [None] * 4)

    def test_terminal_gets_a_redrawn_line_with_a_bar(self):
        status, output = self.on_terminal("train", "--data", self.data, "--out", self.model,
                                          *SHORT, "--epochs", "300")
        self.assertEqual(status, 0)
        self.assertIn(WIPE, output)
        self.assertRegex(COLOUR.sub("", output), r"epoch +\d+/300  #*\.*  NLL ")
        self.assertRegex(output, COLOUR)
        # what stays when each wiped line is gone: an epoch's end a line
        stays = [line.rsplit(WIPE, 1)[-1] for line in output.split("\n")]
        epochs = [match for match in map(EPOCH_LINE.fullmatch, stays) if match]
        self.assertEqual(len(epochs), 300)

    def test_narrow_terminal_never_wraps_the_redrawn_line(self):
        _, output = self.on_terminal("train", "--data", self.data, "--out", self.model, *SHORT,
                                     "--epochs", "300", columns=30)
        drawn = [part for line in output.split("\n") for part in line.split(WIPE)[1:-1]]
        self.assertGreater(len(drawn), 0)
        self.assertLess(max(len(COLOUR.sub("", part)) for part in drawn), 30)

    def test_no_color_takes_the_colours_and_leaves_the_bar(self):
        _, output = self.on_terminal("train", "--data", self.data, "--out", self.model, *SHORT,
                                     "--epochs", "300", NO_COLOR="1")
        self.assertNotRegex(output, COLOUR)
        self.assertIn(WIPE, output)

    def test_dumb_terminal_gets_plain_lines(self):
        _, output = self.on_terminal("train", "--data", self.data, "--out", self.model, *SHORT,
                                     TERM="dumb")
        self.assertNotIn("\x1b", output)
        self.assertNotIn("\r", output)

    def test_same_seed_makes_the_same_bytes(self):
        for router in ("static", "linear", "mlp"):
            for objective in ("micro", "panel"):
                options = ("--router", router, "--objective", objective, "--seed", "7")
                first, second = self.folder / "first", self.folder / "second"
                self.train(*options, out=first)
                self.train(*options, out=second)
                self.assertEqual(first.read_bytes(), second.read_bytes(), options)
                self.train(*options, "--seed", "8", out=second)
                self.assertNotEqual(models.read_safetensors(first)[0],
                                    models.read_safetensors(second)[0], options)

    def test_compressed_data_makes_the_same_model(self):
        self.train()
        plain = self.model.read_bytes()
        compressed = self.folder / "pairs.jsonl.gz"
        compressed.write_bytes(gzip.compress(self.data.read_bytes()))
        self.train(data=compressed)
        self.assertEqual(self.model.read_bytes(), plain)

    def test_model_file_says_how_it_was_made(self):
        self.train("--objective", "micro", "--seed", "11", "--template-phi",
                   "{prompt} {response}", "--template-psi", "{prompt}")
        _, shapes, metadata = models.read_safetensors(self.model)
        self.assertEqual(shapes["heads.weight"], [2, 64])
        self.assertEqual(metadata["encoder"], "hash:64")
        self.assertEqual(metadata["template.phi"], "{prompt} {response}")
        self.assertEqual(metadata["template.psi"], "{prompt}")
        self.assertEqual(metadata["train.objective"], "micro")
        self.assertEqual(metadata["train.seed"], "11")
        self.assertEqual(metadata["train.data.pairs"], "160")
        self.assertEqual(metadata["train.data.users"], "20")
        self.assertEqual(metadata["train.data.sha256"],
                         hashlib.sha256(self.data.read_bytes()).hexdigest())
        self.assertEqual(metadata["train.version"],
                         run("micro-model", "--version")[1].split()[-1])
        self.assertRegex(metadata["train.libraries"],
                         r"\AOpenBLAS \d[\d.]+, libunistring \d[\d.]+, glibc \d[\d.]+\Z")
        self.assertEqual(json.loads(metadata["train.options"])["epochs"], 3)
        self.assertEqual(list(json.loads(metadata["train.heldout"])),
                         ["n_pairs", "accuracy", "nll"])

    def test_objective_follows_the_data(self):
        single = self.folder / "single.jsonl"
        pairs = make_pairs(1)
        write_pairs(single, [{key: value for key, value in pair.items() if key != "user"}
                             for pair in pairs])
        for data, objective, router in ((self.data, "panel", "linear"), (single, "micro", "mlp")):
            lines = self.train(data=data).splitlines()
            self.assertEqual(lines[1], f"2 heads, {router} router, encoder hash:64, objective "
                                       f"{objective}")

    def test_vectors_are_trained_on_without_an_encoder(self):
        rng = random.Random(3)
        data = self.folder / "vectors.jsonl"
        write_pairs(data, [{"prompt": models.random_vector(rng), "chosen": models.random_vector(rng),
                            "rejected": models.random_vector(rng)} for _ in range(50)])
        self.train("--encoder", "none:4", data=data)
        self.assertEqual(models.read_safetensors(self.model)[1]["heads.weight"], [2, 4])


class Interrupt(MicroModel):
    def assert_interrupted(self, number, old):
        if old is not None:
            self.model.write_bytes(old)
        before = sorted(os.listdir(self.folder))
        process = self.start_training()
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130)
        self.assertRegex(errors, rf"\Amicro-model train: {re.escape(str(self.model))} is not "
                                 r"written: interrupted (in|after) epoch \d+\n\Z")
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        if old is not None:
            self.assertEqual(self.model.read_bytes(), old)

    def test_ctrl_c_leaves_no_file(self):
        self.assert_interrupted(signal.SIGINT, None)

    def test_ctrl_c_leaves_the_old_file(self):
        self.assert_interrupted(signal.SIGINT, b"an older model")

    def test_sigterm_does_the_same(self):
        self.assert_interrupted(signal.SIGTERM, b"an older model")

    def test_kill_leaves_the_old_file(self):
        self.model.write_bytes(b"an older model")
        process = self.start_training()
        process.kill()
        process.communicate(timeout=PATIENCE)
        self.assertEqual(sorted(os.listdir(self.folder)), [self.model.name, self.data.name])
        self.assertEqual(self.model.read_bytes(), b"an older model")


class Eval(MicroModel):
    def setUp(self):
        super().setUp()
        self.train()

    def test_json_is_one_object_and_adds_up(self):
        output = self.evaluate("--json", "--shots", "0,2,4")
        self.assertEqual(output.count("\n"), 1)
        result = json.loads(output)
        self.assertEqual(list(result), ["n_pairs", "accuracy", "nll", "shots", "contexts",
                                        "context_mean"])
        self.assertEqual(result["n_pairs"], 160)
        contexts = result["contexts"]
        self.assertEqual([list(row) for row in contexts],
                         [["context", "n_pairs", "accuracy", "nll"]] * 2)
        self.assertEqual([(row["context"], row["n_pairs"]) for row in contexts],
                         [("home", 40), ("work", 120)])
        for figure in ("accuracy", "nll"):
            mean = sum(row["n_pairs"] * row[figure] for row in contexts) / 160
            self.assert_near(result[figure], mean, 1e-12, figure)
            mean = sum(row[figure] for row in contexts) / 2
            self.assert_near(result["context_mean"][figure], mean, 1e-12, figure)
        self.assertEqual(result["context_mean"]["n_contexts"], 2)
        self.assertEqual([list(row) for row in result["shots"]],
                         [["shots", "users", "accuracy", "nll"]] * 3)
        self.assertEqual([(row["shots"], row["users"]) for row in result["shots"]],
                         [(0, 20), (2, 20), (4, 20)])
        self.assertGreater(result["shots"][2]["accuracy"], result["shots"][0]["accuracy"])

    def test_tables_round_what_json_has(self):
        result = json.loads(self.evaluate("--json", "--shots", "0,4"))
        lines = self.evaluate("--shots", "0,4").splitlines()
        rows = [[str(result["n_pairs"]), "%.4f" % result["accuracy"], "%.4f" % result["nll"]]]
        rows += [[str(row["n_pairs"]), "%.4f" % row["accuracy"], "%.4f" % row["nll"]]
                 for row in result["contexts"]]
        rows.append(["160", "%.4f" % result["context_mean"]["accuracy"],
                     "%.4f" % result["context_mean"]["nll"]])
        self.assertEqual([line.split()[-3:] for line in lines[3:7]], rows)
        rows = [[str(row["shots"]), str(row["users"]), "%.4f" % row["accuracy"],
                 "%.4f" % row["nll"]] for row in result["shots"]]
        self.assertEqual([line.split() for line in lines[9:]], rows)

    def test_terminal_gets_bars(self):
        status, output = self.on_terminal("eval", "--model", self.model, "--data", self.data,
                                          "--shots", "0,4")
        self.assertEqual(status, 0)
        bars = re.findall(r"  ([#.]{30})$", output, re.MULTILINE)
        self.assertEqual(len(bars), 2)

    def test_temperature_and_drift_reach_the_feedbacks(self):
        def shots(*options):
            return json.loads(self.evaluate("--json", "--shots", "0,4", *options))["shots"]
        exact, cold, drifting = shots(), shots("--tau", "0.1"), shots("--drift", "0.5")
        self.assertEqual(exact[0], cold[0])
        self.assertEqual(exact[0], drifting[0])
        self.assertNotEqual(exact[1], cold[1])
        self.assertNotEqual(exact[1], drifting[1])

    def test_too_few_pairs_for_the_shots_is_an_error(self):
        self.assert_refused(1, ["eval", "--model", self.model, "--data", self.data, "--shots",
                                "0,8"], "pairs.jsonl", "no user has more than 8 pairs")


class Show(MicroModel):
    def test_json_is_what_the_file_is(self):
        self.train()
        status, output, _ = run("micro-model", "show", "--model", self.model, "--json")
        self.assertEqual((status, output.count("\n")), (0, 1))
        shown = json.loads(output)
        self.assertEqual(list(shown), ["id", "version", "format", "n_heads", "dim", "encoder",
                                       "router", "templates", "labels", "masked", "training",
                                       "similarity"])
        self.assertEqual((shown["n_heads"], shown["dim"], shown["encoder"], shown["router"]),
                         (2, 64, "hash:64", {"kind": "linear", "n_hidden": 0}))
        metadata = models.read_safetensors(self.model)[2]
        self.assertEqual({f"train.{key}": value for key, value in shown["training"].items()},
                         {key: value for key, value in metadata.items()
                          if key.startswith("train.")})

    def test_similarity_is_the_cosine_of_the_weights(self):
        reference = models.write_vector_model(self.model)
        shown = json.loads(run("micro-model", "show", "--model", self.model, "--json")[1])
        similarity = shown["similarity"]

        def cosine(a, b):
            norm = (sum(x * x for x in a) * sum(x * x for x in b)) ** 0.5
            return sum(x * y for x, y in zip(a, b)) / norm
        matrix = [[cosine(a, b) for b in reference.heads] for a in reference.heads]
        self.assert_near(similarity["matrix"], matrix, 1e-6)
        pairs = sorted(((matrix[a][b], [a, b]) for a, b in ((0, 1), (0, 2), (1, 2))),
                       reverse=True)
        self.assertEqual([row["heads"] for row in similarity["most_alike"]],
                         [heads for _, heads in pairs])
        self.assert_near(similarity["max"], pairs[0][0], 1e-6)
        self.assert_near(similarity["mean"], sum(value for value, _ in pairs) / 3, 1e-6)

    def test_people_see_names_but_not_control_characters(self):
        labels = json.dumps(["kind", "terse \u001b[2J", "\u00e9l\u00e9gant"])
        models.write_vector_model(self.model, metadata={
            "heads.labels": labels, "heads.mask": json.dumps([False, True, False])})
        status, output, _ = run("micro-model", "show", "--model", self.model)
        self.assertEqual(status, 0)
        self.assertNotIn("\x1b", output)
        self.assertRegex(output, r"\n   1  terse \?\[2J  masked +-0\.2500\n")
        self.assertRegex(output, r"\n   2  \u00e9l\u00e9gant +0\.0000\n")


class Faults(MicroModel):
    def refuse_training(self, status, options, *fragments):
        self.assert_refused(status, ["train", "--data", self.data, "--out", self.model, *SHORT,
                                     *options], *fragments)
        self.assertEqual(os.listdir(self.folder), [self.data.name])

    def test_help_and_version(self):
        for arguments in (["--help"], ["train", "--help"], ["route", "--help"], ["eval", "--help"],
                          ["show", "--help"],
                          ["heads", "--help"], ["import", "--help"], ["diagnose", "--help"],
                          ["train", "--no-such-option", "--help"]):
            status, output, errors = run("micro-model", *arguments)
            self.assertEqual((status, errors), (0, ""))
            self.assertTrue(output.startswith("usage: micro-model "), output)
            self.assertLessEqual(max(map(len, output.splitlines())), 80)
        self.assertRegex(run("micro-model", "--version")[1], r"\Amicro-model \d+\.\d+\.\d+\n\Z")

    def test_usage_faults_name_the_option_and_what_would_be_right(self):
        self.assert_refused(2, [], "no command")
        self.assert_refused(2, ["tarin"], "unknown command tarin", "train")
        self.assert_refused(2, ["train", "--data", "x"], "--out FILE is required")
        self.assert_refused(2, ["show", "--modle", "x"], "--modle", "--model")
        self.assert_refused(2, ["show", "x"], "unexpected argument x")
        for options, fragments in (
                (["--heads", "0"], ["--heads 0", "1 to 1024"]),
                (["--epochs", "many"], ["--epochs many", "whole number"]),
                (["--holdout", "nan"], ["--holdout nan", "0 to 0.9"]),
                (["--router", "deep"], ["--router deep", "static, linear or mlp"]),
                (["--objective", "em"], ["--objective em", "attributes, lore, micro or panel"]),
                (["--template-psi", "{response}"], ["--template-psi", "{response}"]),
                (["--template-phi", "{answer}"], ["--template-phi", "{response}"]),
                (["--encoder", "hash"], ["--encoder", "hash:"]),
                (["--out", self.data], ["--out", "--data"])):
            self.refuse_training(2, options, *fragments)
        for shots in ("1,1", "2,1", "a", "1,", ",1", "-1", "1 2", "99999999999999999999999"):
            self.assert_refused(2, ["eval", "--model", "m", "--data", "d", "--shots", shots],
                                f"--shots {shots}", "0,1,2,4,8")

    def test_bad_data_names_file_and_line(self):
        good = json.dumps({"prompt": "p", "chosen": "a", "rejected": "b"})
        for bad, fragment in (("{", "column"), ('{"prompt": "p", "chosen": "a"}', "rejected"),
                              ('{"prompt": "p", "chosen": 1, "rejected": "b"}', "/chosen"),
                              ("[]", "object")):
            self.data.write_text(f"{good}\n{good}\n{bad}\n{good}\n")
            self.refuse_training(1, [], f"{self.data}:3: ", fragment)

    def test_data_without_pairs_is_refused(self):
        self.data.write_text("")
        self.refuse_training(1, [], str(self.data))

    def test_missing_files_are_named(self):
        missing = self.folder / "missing"
        self.assert_refused(1, ["train", "--data", missing, "--out", self.model], str(missing))
        self.assert_refused(1, ["eval", "--data", self.data, "--model", missing], str(missing))
        self.assert_refused(1, ["show", "--model", missing], str(missing))
        models.write_vector_model(self.model)
        self.assert_refused(1, ["eval", "--data", missing, "--model", self.model], str(missing))

    def test_out_that_cannot_be_written_is_refused_before_training(self):
        for out in (self.folder / "missing" / "model", self.folder):
            self.refuse_training(1, ["--out", out, *FOREVER], str(out))

    def test_panel_needs_users(self):
        pairs = make_pairs(1)
        for pair in pairs:
            del pair["user"]
        write_pairs(self.data, pairs)
        self.refuse_training_after_start(["--objective", "panel"], "panel", "micro")

    def refuse_training_after_start(self, options, *fragments):
        status, _, errors = run("micro-model", "train", "--data", self.data, "--out", self.model,
                                *SHORT, *options)
        self.assertEqual((status, errors.count("\n")), (1, 1), errors)
        for fragment in fragments:
            self.assertIn(fragment, errors)
        self.assertEqual(os.listdir(self.folder), [self.data.name])

    def test_divergence_is_an_error_and_writes_nothing(self):
        write_pairs(self.data, [{"prompt": [1.0] * 4, "chosen": [3e38, 0, 0, -3e38],
                                 "rejected": [-3e38, 0, 0, 3e38]}] * 50)
        self.refuse_training_after_start(["--encoder", "none:4", "--learning-rate", "10",
                                          "--init-scale", "100"], "learning rate")

    def test_full_disk_behind_standard_output_is_an_error(self):
        models.write_vector_model(self.model)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program("micro-model"), "show", "--model", self.model],
                                  stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)


if __name__ == "__main__":
    main()
