#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/README.md keeps its word: each of its command lines either is run here, in order, in one
folder with a model, a certificate and a running microd, or stands in the list of those that need
what is not here. A new line is in neither and fails."""
import re
import shutil
import subprocess
import unittest

import models
from harness import BIN_DIR, PATIENCE, ROOT, Scenario, clean_environment, main
from models import embedding

README = (ROOT / "deploy/README.md").read_text()
# Needs an engine, a cluster, a service manager or the package, which have tests of their own:
# tests/docker.sh, test_deploy_files.py, test_service.py, tests/package.sh
NOT_HERE = re.compile(r"docker |kubectl |systemctl |journalctl |apt |cmake |cpack |chown ")
# Of other files, or an answer
NO_COMMAND = re.compile(r"authorization: |[A-Za-z0-9_]+=|#")
ON_A_PERSON = [  # who asks: of a daemon that serves
    "curl -sf http://127.0.0.1:8080/users/ada/export -o ada.jsonl && tail -n 1 ada.jsonl"
    " | grep '\"type\":\"end\"'",
    "curl -sf http://127.0.0.1:8080/users/ada/reset -H 'Content-Type: application/json'"
    " -d '{\"context\": \"work\"}'",
    "curl -sf -X DELETE http://127.0.0.1:8080/users/ada",
    "curl -sf http://127.0.0.1:8080/users/ada/import -H 'Content-Type: application/x-ndjson'"
    " --data-binary @ada.jsonl",
]
RUN = [
    "microd key new --name trainer --scopes score | tee /dev/stderr | tail -n 1 >>keys",
    "microd --model m.safetensors --tls-cert fullchain.pem --tls-key key.pem",
    "microd backup micro-$(date +%F).db --state /var/lib/micro/micro.db",
    "mkdir aside && mv micro.db* aside/",
    "cp micro-2026-01-01.db micro.db",
    "cp aside/micro.db.receipt-key .    # so that receipts go on; not with --receipt-key-file",
    "microd check --model m.safetensors --state micro.db",
]


def commands():
    """The lines of indented and of sh blocks."""
    indented = re.findall(r"(?m)^    (\S.*)$", README)
    fenced = re.findall(r"(?ms)^```sh\n(.*?)^```$", README)
    return indented + [line for block in fenced for line in block.splitlines() if line.strip()]


class Commands(Scenario):
    def test_each_is_run_or_named(self):
        left = [line for line in commands()
                if not NOT_HERE.match(line) and not NO_COMMAND.match(line)]
        self.assertEqual([line for line in left if line not in ON_A_PERSON], RUN)
        self.assertEqual([line for line in left if line in ON_A_PERSON], ON_A_PERSON)

    def shell(self, line):
        done = subprocess.run(["bash", "-euc", line], cwd=self.folder, capture_output=True,
                              text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                              env=clean_environment(PATH=f"{BIN_DIR}:/usr/bin:/bin"))
        self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
        return done.stdout

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_they_do_what_is_said(self):
        key, serve, backup, aside, restore, receipts, check = RUN
        models.write_vector_model(self.folder / "m.safetensors")
        self.shell("openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
                   " -days 30 -subj /CN=microd -keyout key.pem -out fullchain.pem 2>/dev/null")
        daemon = self.start(self.folder / "m.safetensors")
        feedback = {"user": "ada", "id": "1", "prompt": embedding([1, 0, 0, 0]),
                    "chosen": embedding([1, 0, 0, 0]), "rejected": embedding([0, 1, 0, 0])}
        self.assertEqual(daemon.client.post("/feedback", feedback).status, 200)
        receipt = daemon.client.post("/score", {
            "user": "ada", "prompt": embedding([1, 0, 0, 0]), "receipt": True,
            "responses": [embedding([1, 0, 0, 0]), embedding([0, 1, 0, 0])]}).json["receipt"]
        self.shell(key)
        self.assertRegex((self.folder / "keys").read_text(), r"^trainer score \S+\n$")
        self.assertIn("https://", self.shell(serve.replace("microd ", "microd check ", 1) +
                                             " --api-keys keys"))
        copy = backup.replace("/var/lib/micro/", "").replace("$(date +%F)", "2026-01-01")
        self.assertIn("1 users, 1 feedbacks", self.shell(copy))
        daemon.stop()
        self.shell(aside)
        self.shell(restore)
        self.shell(receipts)
        self.assertRegex(self.shell(check), r"state .*1 users, 1 feedbacks")
        daemon.start()
        self.assertTrue(daemon.client.post("/feedback", feedback).json["duplicate"])
        chosen = daemon.client.post("/feedback", {"receipt": receipt, "chosen": 0, "rejected": 1})
        self.assertEqual(chosen.status, 200, chosen)

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_what_a_person_may_ask(self):
        models.write_vector_model(self.folder / "m.safetensors")
        daemon = self.start(self.folder / "m.safetensors")
        for context in ("work", "home"):
            body = {"user": "ada", "id": context, "context": context,
                    "prompt": embedding([1, 0, 0, 0]), "chosen": embedding([1, 0, 0, 0]),
                    "rejected": embedding([0, 1, 0, 0])}
            self.assertEqual(daemon.client.post("/feedback", body).status, 200)
        export, reset, forget, take_in = (line.replace(":8080", f":{daemon.port}")
                                          for line in ON_A_PERSON)
        shown = daemon.client.get("/users/ada").body
        self.assertIn('"events":2', self.shell(export))
        self.assertIn('"deleted":{"states":1,"events":1}', self.shell(reset))
        self.assertIn('"deleted":{"states":2,"events":1}', self.shell(forget))
        self.assertEqual(daemon.client.get("/users/ada").status, 404)
        self.assertIn('"imported":{"events":2},"duplicates":0', self.shell(take_in))
        self.assertEqual(daemon.client.get("/users/ada").body, shown)


if __name__ == "__main__":
    main()
