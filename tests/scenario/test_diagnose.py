#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""micro-model diagnose gives the right answer where the truth is known.

Synthetic people of known tastes (tests/synthetic/generate_people.py), then real ones: people of
Polis disagree, workers of UKPConvArg1 share one taste. Train splits only.
"""
import json
import os
import pty
import random
import signal
import subprocess
import sys

from harness import (PATIENCE, ROOT, Scenario, clean_environment, main, program, run,
                     run_on_terminal, shared_data)

TOLERANCE = 0.025    # nats: the error of noise, bound and disagreement with 12,000 pairs
PROBABILITY = 0.03   # of two people's disagreement
KEYS = ["n_pairs", "n_users", "n_users_many", "seed", "encoder", "repeats", "split",
        "subpopulations", "single_model", "feedback", "verdict"]


class Diagnose(Scenario):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "people.jsonl"

    def generate(self, *options):
        """Synthetic people into self.data; the truth about them."""
        done = subprocess.run([sys.executable, ROOT / "tests/synthetic/generate_people.py",
                               self.data, *map(str, options)],
                              check=True, capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)

    def diagnose(self, *options, data=None, encoder="none:8"):
        status, output, errors = run("micro-model", "diagnose", "--data", data or self.data,
                                     "--encoder", encoder, *options, timeout=4 * PATIENCE)
        self.assertEqual((status, errors), (0, ""))
        return output

    def found(self, *options, **more):
        return json.loads(self.diagnose("--json", *options, **more))

    def assert_verdict(self, found, answer, reason):
        self.assertEqual(found["verdict"], {"answer": answer, "reason": reason}, found)


class KnownTruth(Diagnose):
    def test_tastes_are_counted_and_the_irreducible_error_is_found(self):
        for tastes, sharpness in ((4, 6), (2, 3)):
            truth = self.generate("--tastes", tastes, "--sharpness", sharpness)
            found = self.found()
            error, repeats = found["single_model"], found["repeats"]
            print(f"{tastes} tastes: {found['subpopulations']['supported']} supported; "
                  + ", ".join(f"{name} {error[name]['mean']:.4f} of {truth[name]:.4f}"
                              for name in ("noise", "disagreement", "bound")))
            self.assertEqual(found["subpopulations"]["supported"], tastes)
            for name in ("noise", "disagreement", "bound", "entropy"):
                self.assert_near(error[name]["mean"], truth[name], TOLERANCE, name)
            self.assert_near(error["mixture_nll"]["mean"], truth["entropy"], TOLERANCE)
            self.assertLess(error["bound"]["mean"], error["single_nll"]["mean"])
            self.assert_near(repeats["between"]["mean"], truth["between"], PROBABILITY)
            self.assertLess(repeats["loss_bound"]["low"], truth["entropy"])
            low, high = (repeats["within"][end] for end in ("low", "high"))
            self.assertTrue(low <= truth["within"] <= high, repeats["within"])
            self.assert_verdict(found, "worth_it", "saving")
            self.assertGreater(found["feedback"]["shots"][-1]["accuracy_gain"]["low"], 0.05)

    def test_one_taste_with_noise_is_not_worth_it(self):
        for seed in (1, 2):
            truth = self.generate("--tastes", 1, "--sharpness", 2, "--seed", seed)
            found = self.found()
            error = found["single_model"]
            self.assert_verdict(found, "not_worth_it", "no_material_saving")
            self.assertEqual(found["subpopulations"]["supported"], 1)
            self.assert_near(error["bound"]["mean"], truth["bound"], TOLERANCE)
            self.assertLess(error["disagreement"]["mean"], 0.005)
            self.assert_near(found["repeats"]["between"]["mean"], truth["between"], PROBABILITY)
        self.assertIn("One reward model serves everyone", self.diagnose())

    def test_without_users_it_cannot_tell_but_looks_at_pairs(self):
        self.generate("--tastes", 4, "--nameless", "--people", 12000, "--pairs", 1)
        found = self.found()
        self.assert_verdict(found, "cannot_tell", "no_users")
        self.assertEqual((found["split"]["by"], found["feedback"]), ("pair", None))
        self.assertEqual(found["repeats"]["state"], "no_users")
        self.assertGreater(found["single_model"]["single_excess"]["low"], 0)
        text = self.diagnose()
        self.assertIn("no users in this data", text)
        self.assertRegex(text, r"a mixture of \d+ heads predicts better than a single model")

    def test_few_people_cannot_tell(self):
        self.generate("--people", 20, "--pairs", 50)
        self.assert_verdict(self.found(), "cannot_tell", "too_few_users")

    def test_tiny_data_is_too_little(self):
        for people, pairs in ((1, 1), (5, 10), (49, 2)):
            self.generate("--people", people, "--pairs", pairs, "--pool", 10)
            found = self.found()
            self.assert_verdict(found, "cannot_tell", "too_little_data")
            self.assertEqual((found["split"], found["subpopulations"], found["single_model"],
                              found["feedback"]), (None,) * 4)
            self.assertIn("too little data", self.diagnose())

    def test_texts_and_ties(self):
        rng = random.Random(1)
        lines = []
        for person in range(60):
            for _ in range(6):
                words = rng.sample(["red", "green", "blue", "black"], 2)
                words.sort(key=lambda word: (word in ("red", "green")) == (person % 2 == 0))
                lines.append({"user": person, "prompt": "colour?", "chosen": words[0],
                              "rejected": words[1]})
        lines += [{"user": 0, "prompt": "colour?", "chosen": "red", "rejected": "red"}] * 3
        self.data.write_text("".join(json.dumps(line) + "\n" for line in lines))
        found = self.found(encoder="hash:64")
        self.assertEqual((found["repeats"]["n_ties"], found["repeats"]["n_distinct"]), (3, 6))
        self.assert_verdict(found, "worth_it", "saving")


class RealPeople(Diagnose):
    def test_polis_is_worth_it(self):
        found = self.found(data=shared_data("polis/train.jsonl.gz"), encoder="hash:8192")
        self.assert_verdict(found, "worth_it", "saving")
        gain = found["feedback"]["shots"][-1]
        print(f"polis: {found['subpopulations']['supported']} heads supported, 8 feedbacks "
              f"{gain['accuracy_gain']['mean']:+.4f} accuracy")
        self.assertEqual(gain["shots"], 8)
        self.assertGreater(gain["accuracy_gain"]["low"], 0.04)
        self.assertGreaterEqual(found["subpopulations"]["supported"], 8)
        self.assertEqual(found["repeats"]["n_shared"], 11702)

    def test_workers_of_one_taste_are_not(self):
        found = self.found(data=shared_data("ukpconvarg1/train.jsonl.gz"), encoder="hash:8192")
        self.assert_verdict(found, "not_worth_it", "no_material_saving")
        self.assertEqual(found["subpopulations"]["supported"], 1)
        # they do disagree, by noise
        self.assertGreater(found["repeats"]["between"]["low"], 0.2)


class Says(Diagnose):
    def test_json_is_one_object_and_the_same_for_a_seed(self):
        self.generate("--people", 100, "--pairs", 10)
        first = self.diagnose("--json", "--seed", 3)
        self.assertEqual(first, self.diagnose("--json", "--seed", 3))
        self.assertNotEqual(first, self.diagnose("--json", "--seed", 4))
        self.assertEqual(first.count("\n"), 1)
        self.assertEqual(list(json.loads(first)), KEYS)
        documented = (ROOT / "schema/diagnosis.md").read_text()
        for key in keys_of(json.loads(first)):
            self.assertIn(f"`{key}`", documented)

    def test_file_gets_no_bar_no_colour_and_no_progress(self):
        self.generate("--people", 100, "--pairs", 10)
        text = self.diagnose()
        self.assertNotRegex(text, r"[\033\r#]")
        for title in ("Do people disagree about the same pair?",
                      "What can no single model get below?",
                      "How many subpopulations does the likelihood support?",
                      "What would feedback bring?", "Is it worth it?"):
            self.assertIn(f"\n{title}\n", text)
        self.assertEqual(text, self.diagnose("--quiet"))

    def on_terminal(self, *options, **env):
        status, output, errors = run_on_terminal("micro-model", "diagnose", "--data", self.data,
                                                 "--encoder", "none:8", *options, env=env)
        self.assertEqual((status, errors), (0, ""))
        return output

    def test_terminal_shows_progress_and_bars(self):
        self.generate("--people", 300)
        output = self.on_terminal(NO_COLOR="")
        self.assertRegex(output, r"\r\033\[Kfit 1/\d: +1 heads ")
        self.assertIn("\033[1m", output)
        self.assertRegex(output, r" {2}#{30}\n")
        plain = self.on_terminal(NO_COLOR="1")
        self.assertNotIn("\033[1m", plain)
        self.assertNotIn("fit 1/", self.on_terminal("--quiet"))


def keys_of(value):
    """All keys of an object and of the objects in it."""
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item)}
    if not isinstance(value, dict):
        return set()
    return set(value) | {key for item in value.values() for key in keys_of(item)}


class Faults(Diagnose):
    def refuse(self, status, options, *fragments):
        actual, output, errors = run("micro-model", "diagnose", *options)
        self.assertEqual((actual, output), (status, ""), errors)
        self.assertRegex(errors, r"\Amicro-model diagnose: [^\n]+\n\Z")
        for fragment in fragments:
            self.assertIn(fragment, errors)

    def test_wrong_options_and_files_are_refused(self):
        self.refuse(2, [], "--data")
        self.refuse(2, ["--data", "x", "--budget", "10"], "--budget", "500")
        self.refuse(2, ["--data", "x", "--encoder", "bert"], "--encoder")
        self.refuse(1, ["--data", self.folder / "none"], "none")
        self.data.write_text('{"prompt": "p"}\n')
        self.refuse(1, ["--data", self.data], "people.jsonl:1", "chosen")

    def test_ctrl_c_ends_it(self):
        self.generate("--people", 3000, "--pairs", 20)
        for number in (signal.SIGINT, signal.SIGTERM):
            terminal, slave = pty.openpty()
            process = subprocess.Popen(
                [program("micro-model"), "diagnose", "--data", self.data, "--encoder", "none:8"],
                stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE, text=True,
                env=clean_environment(TERM="xterm"))
            os.close(slave)
            os.read(terminal, 1)  # the progress: a training runs
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
            os.close(terminal)
            self.assertEqual(process.returncode, 130)
            self.assertRegex(errors, r"\Amicro-model diagnose: \d+ heads: interrupted[^\n]*\n\Z")


if __name__ == "__main__":
    main()
