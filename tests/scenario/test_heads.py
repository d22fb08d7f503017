#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""micro-model heads: what each head is worth, and that masks, labels and merges act everywhere."""
import json
import math
import random

import models
from harness import main, run
from models import embedding
from reference import dot, loss, sigmoid, softmax
from test_micro_model import COLOUR, MicroModel

FOUR = models.HEADS + [[x * 1.25 for x in models.HEADS[1]]]  # head 3 says what head 1 says
ROUTER = {"router.weight": models.ROUTERS["linear"]["router.weight"] + [[0.0, 0.5, 0.0, -0.5]],
          "router.bias": models.ROUTERS["linear"]["router.bias"] + [0.25]}


class Heads(MicroModel):
    def setUp(self):
        super().setUp()
        rng = random.Random(3)
        self.pairs = [{"prompt": models.random_vector(rng), "chosen": models.random_vector(rng),
                       "rejected": models.random_vector(rng), "user": f"u{i % 9}",
                       "context": ("home", "work", None)[i % 3]} for i in range(90)]
        self.data = self.write("vectors.jsonl", self.pairs)
        self.model = self.folder / "four.safetensors"
        metadata = models.vector_metadata(n_heads=4)
        self.model.write_bytes(models.safetensors(
            {"heads.weight": FOUR, "heads.center": models.CENTER + [0.5], **ROUTER}, metadata))
        self.out = self.folder / "out.safetensors"

    def write(self, name, pairs):
        path = self.folder / name
        path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
        return path

    def heads(self, *options):
        status, output, errors = run("micro-model", "heads", "--model", self.model, *options)
        self.assertEqual((status, errors), (0, ""))
        return output

    def margins(self, pair):
        return [dot(head, pair["chosen"]) - dot(head, pair["rejected"]) for head in FOUR]

    def mixture(self, pairs, masked=()):
        """(accuracy, NLL) of eq. (1) without the masked heads, in plain Python."""
        left = [k for k in range(4) if k not in masked]
        right, nll = 0, 0
        for pair in pairs:
            logits = [dot(ROUTER["router.weight"][k], pair["prompt"]) + ROUTER["router.bias"][k]
                      for k in left]
            margins = self.margins(pair)
            p = sum(w * sigmoid(margins[k]) for w, k in zip(softmax(logits), left))
            right += 1 if p > 0.5 else 0.5 if p == 0.5 else 0
            nll -= math.log(p)
        return right / len(pairs), nll / len(pairs)

    def evaluated(self, path):
        result = json.loads(run("micro-model", "eval", "--model", path, "--data", self.data,
                                "--json")[1])
        return result["accuracy"], result["nll"]

    def shown(self, path):
        return json.loads(run("micro-model", "show", "--json", "--model", path)[1])

    # ---- report ----

    def test_each_head_is_scored_alone_overall_and_in_each_context(self):
        report = json.loads(self.heads("--data", self.data, "--json"))
        self.assertEqual(report["model"], self.shown(self.model)["id"])
        [data] = report["sets"]
        self.assertEqual((data["data"], data["n_pairs"]), (str(self.data), 90))
        groups = [("all", self.pairs, data["heads"])]
        for context in data["contexts"]:
            pairs = [p for p in self.pairs if p["context"] == context["context"]]
            self.assertEqual(context["n_pairs"], len(pairs))
            groups.append((context["context"], pairs, context["heads"]))
            accuracy = [head["accuracy"] for head in context["heads"]]
            self.assertEqual(accuracy[context["best"]], max(accuracy))
        self.assertEqual([name for name, _, _ in groups], ["all", "home", "work"])
        for name, pairs, heads in groups:
            for k, head in enumerate(heads):
                margins = [self.margins(pair)[k] for pair in pairs]
                right = sum(1 if m > 0 else 0.5 if m == 0 else 0 for m in margins)
                self.assert_near(head["accuracy"], right / len(pairs), 1e-9, f"{name} {k}")
                self.assert_near(head["nll"], sum(map(loss, margins)) / len(pairs), 1e-6,
                                 f"{name} {k}")

    def test_correlation_is_that_of_predictions_in_both_orders(self):
        report = json.loads(self.heads("--data", self.data, self.data, "--json"))
        self.assertEqual(len(report["sets"]), 2)
        columns = [[2 * sigmoid(self.margins(pair)[k]) - 1 for pair in self.pairs]
                   for k in range(4)]
        for a in range(4):
            for b in range(4):
                wanted = dot(columns[a], columns[b]) / math.sqrt(
                    dot(columns[a], columns[a]) * dot(columns[b], columns[b]))
                self.assert_near(report["correlation"][a][b], wanted, 1e-5, f"{a} {b}")
        self.assert_near(sum(report["weights"]), 1, 1e-9)

    def test_text_has_tables_for_people(self):
        lines = self.heads("--data", self.data).splitlines()
        self.assertRegex(lines[0], r"^model [0-9a-f]{64}$")
        self.assertEqual(lines[2], f"{self.data}: 90 pairs")
        self.assertEqual(lines[3].split(), ["head", "label", "masked", "weight", "accuracy", "NLL"])
        self.assertIn("context  pairs  best head  label   accuracy     NLL", lines)
        self.assertIn("in hundredths:", lines)

    def test_without_data_only_the_heads_are_listed(self):
        report = json.loads(self.heads("--json"))
        self.assertEqual([head["label"] for head in report["heads"]],
                         [f"head {k}" for k in range(4)])
        self.assertEqual((report["sets"], report["correlation"], report["merge"],
                          report["audit"]), ([], None, None, None))

    def test_no_color_is_obeyed(self):
        arguments = ("heads", "--model", self.model, "--data", self.data)
        status, output = self.on_terminal(*arguments)
        self.assertEqual(status, 0)
        self.assertRegex(output, COLOUR)
        self.assertNotRegex(self.on_terminal(*arguments, NO_COLOR="1")[1], COLOUR)

    # ---- changes ----

    def test_masked_head_has_no_weight_in_eval_and_serving(self):
        data_before = self.data.read_bytes()
        self.heads("--mask", "0,2", "--label", "1=warm", "--out", self.out)
        before, after = (models.read_safetensors(path) for path in (self.model, self.out))
        self.assertEqual(before[:2], after[:2])  # no number and no shape changes
        shown = self.shown(self.out)
        self.assertEqual((shown["masked"], shown["labels"][1]), ([0, 2], "warm"))
        self.assertEqual(shown["id"], self.shown(self.model)["id"])
        self.assert_near(self.evaluated(self.model), self.mixture(self.pairs), 1e-6)
        self.assert_near(self.evaluated(self.out), self.mixture(self.pairs, {0, 2}), 1e-6)
        self.assertEqual(self.data.read_bytes(), data_before)
        client = self.start(self.out).client
        pair = self.pairs[0]
        answer = client.post("/score", {"prompt": embedding(pair["prompt"]), "responses": [
            embedding(pair["chosen"]), embedding(pair["rejected"])]}).json
        self.assertEqual([answer["weights"][0], answer["weights"][2]], [0, 0])
        self.assert_near(sum(answer["weights"]), 1, 1e-9)
        model = client.get("/model").json
        self.assertEqual((model["masked"], model["labels"][1]), ([0, 2], "warm"))

    def test_unmask_gives_the_same_file_again(self):
        self.heads("--label", "0=terse", "--out", self.model)
        before = self.model.read_bytes()
        self.heads("--mask", "3", "--out", self.model)
        self.assertNotEqual(self.model.read_bytes(), before)
        self.heads("--unmask", "3", "--out", self.model)
        self.assertEqual(self.model.read_bytes(), before)

    def test_audit_masks_heads_that_like_what_was_rejected(self):
        # chosen and rejected so that head 0 is always wrong and head 1 always right
        safety = self.write("safety.jsonl", [
            {"prompt": [0, 0, 0, 0], "chosen": [-1, 1, 0, 0], "rejected": [1, 0, 0, 0]},
            {"prompt": [0, 0, 0, 0], "chosen": [-2, 2, 0, 0], "rejected": [0, 0, 1, 0]}])
        report = json.loads(self.heads("--audit", safety, "--out", self.out, "--json"))
        self.assertEqual(report["audit"]["inverted"], [1.0, 0.0, 0.0, 0.0])
        self.assertEqual(report["audit"]["masked"], [0])
        shown = self.shown(self.out)
        self.assertEqual((shown["masked"], shown["training"]["audit.masked"]), ([0], "0"))
        self.assertIn("head 0: 1.0000, masked", self.heads("--audit", safety, "--out", self.out))

    def test_without_out_audit_and_merge_are_only_told(self):
        safety = self.write("safety.jsonl", [
            {"prompt": [0, 0, 0, 0], "chosen": [-1, 1, 0, 0], "rejected": [1, 0, 0, 0]}])
        before = self.model.read_bytes()
        files = sorted(self.folder.iterdir())
        for options, said in (
                (("--audit", safety), r"\n  head 0: 1\.0000, masked\n"),
                (("--data", self.data, "--merge", "0.95"), r"\Amerged: 1\+3; 3 heads are left\n")):
            output = self.heads(*options)
            self.assertRegex(output, said)
            self.assertTrue(output.endswith("\n\nnothing is written; give --out\n"), output)
            self.assertIsNone(json.loads(self.heads(*options, "--json"))["out"])
        self.assertEqual((self.model.read_bytes(), sorted(self.folder.iterdir())),
                         (before, files))

    def test_audit_that_would_leave_no_head_is_refused(self):
        bad = self.write("bad.jsonl", [
            {"prompt": [0] * 4, "chosen": [-1, 0, 0, 0], "rejected": [0, 0, 0, 0]},
            {"prompt": [0] * 4, "chosen": [1, -1, 0, 0], "rejected": [0, 1, 0, 0]}])
        self.heads("--mask", "1,3", "--out", self.model)
        status, output, errors = run("micro-model", "heads", "--model", self.model, "--audit", bad,
                                     "--audit-threshold", "0.4", "--out", self.out)
        self.assertEqual((status, output, errors), (1, "", f"micro-model heads: {bad}: all 4 heads "
                                                    "would be masked, want one that is not\n"))
        self.assertFalse(self.out.exists())

    def test_merge_joins_what_says_the_same(self):
        report = json.loads(self.heads("--data", self.data, "--merge", "0.95", "--out", self.out,
                                       "--json"))
        self.assertEqual(report["merge"]["groups"], [[0], [1, 3], [2]])
        [mixture] = report["merge"]["mixture"]
        self.assert_near((mixture["before"]["accuracy"], mixture["before"]["nll"]),
                         self.mixture(self.pairs), 1e-6)
        self.assert_near((mixture["after"]["accuracy"], mixture["after"]["nll"]),
                         self.evaluated(self.out), 1e-9)
        self.assert_near(mixture["after"]["nll"], mixture["before"]["nll"], 0.05)
        shown = self.shown(self.out)
        self.assertEqual(shown["n_heads"], 3)
        self.assertEqual(shown["labels"][1], "head 1 + head 3")
        self.assertEqual(shown["training"]["merge.heads"], "1+3")
        self.assertNotEqual(shown["id"], self.shown(self.model)["id"])
        # a weighted mean of x and 1.25 x is a multiple of x
        weight = models.read_safetensors(self.out)[0]["heads.weight"][4:8]
        for x, w in zip(models.HEADS[1], weight):
            self.assert_near(w * models.HEADS[1][1], x * weight[1], 1e-6)

    def test_model_may_be_replaced_by_itself(self):
        self.heads("--label", "0=terse", "--out", self.model)
        self.assertEqual(self.shown(self.model)["labels"][0], "terse")

    # ---- faults ----

    def test_usage_faults(self):
        model = ("--model", self.model)
        for arguments, message in (
                (("--merge", "0.9", "--out", self.out), "--merge needs --data, pairs to compare "
                                                        "heads on"),
                (("--mask", "0"), "a change needs --out, the model file to write; it may be "
                                  f"{self.model}"),
                (("--out", self.out), "--out without a change: want --label, --mask, --unmask, "
                                      "--audit or --merge"),
                (("--mask", "1,2", "--unmask", "1", "--out", self.out),
                 "--mask and --unmask: head 1 is in both"),
                (("--mask", "4", "--out", self.out), "--mask: \"4\": want a head from 0 to 3"),
                (("--mask", "0,1,2,3", "--out", self.out), "--mask: all 4 heads would be masked, "
                                                           "want one that is not"),
                (("--label", "terse", "--out", self.out), "--label: \"terse\": want a head and its "
                                                          "label, such as 0=terse"),
                (("--mask", "0", "--data", self.data, "--out", self.data),
                 f"--out {self.data} is the file of --data"),
                ((self.data,), f"unexpected argument {self.data}, want the first data file after "
                               "--data")):
            status, output, errors = run("micro-model", "heads", *model, *arguments)
            self.assertEqual((status, output, errors),
                             (2, "", f"micro-model heads: {message}\n"), arguments)
            self.assertFalse(self.out.exists())


if __name__ == "__main__":
    main()
