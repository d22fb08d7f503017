#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each route needs: a running microd's word on every path of the contract, which the table of
deploy/README.md and the list of schema/openapi.yaml repeat."""
import re

import contract
import models
from harness import ROOT, SharedDaemon, main, run

README = (ROOT / "deploy/README.md").read_text()
UNDER = re.compile(r"/users(/.*)?")  # "/users and everything under it"
NOTHING, ANY = "nothing", "any key"


def told(text):
    """{path: what it needs} of lines "need: paths"; "scope `x`" and "x" are the same."""
    needs = {}
    for need, paths in text:
        for path in re.findall(r"/[\w./]+", paths):
            assert path not in needs, path
            needs[path] = need
    return needs


class Scopes(SharedDaemon):
    @classmethod
    def make_model(cls, folder):
        models.write_vector_model(folder / "m")
        status, text, _ = run("microd", "key", "new", "--name", "none", "--scopes", "none")
        assert status == 0
        cls.key, line = text.splitlines()
        (folder / "keys").write_text(line + "\n")
        cls.OPTIONS = ("--api-keys", folder / "keys")
        return folder / "m"

    def ask(self, method, path):
        """What the daemon says that it needs."""
        bare, keyed = self.daemon.new_client(), self.daemon.new_client(self.key)
        body = "{}" if method == "post" else None
        target = path.replace("{id}", "ada")
        unknown = bare.request(method.upper(), target, body)
        if unknown.status != 401:
            self.assertEqual(unknown.status, 200, unknown)
            return NOTHING
        answer = keyed.request(method.upper(), target, body)
        if answer.status != 403:
            self.assertEqual(answer.status, 200, answer)
            return ANY
        return re.search(r" needs the scope (\w+), ", answer.error["message"])[1]

    def test_documents_say_what_each_route_needs(self):
        asked = {}
        for path, item in contract.document()["paths"].items():
            asked[path] = {self.ask(method, path) for method in item
                           if method in ("get", "post", "delete")}
        table = re.findall(r"(?m)^\| (`.*) \| (?:scope `(\w+)`|(nothing)|(any key)\b.*) \|$",
                           README.partition("| route | needs |")[2].partition("\n\n")[0])
        of_table = told((scope or nothing or any_key, paths)
                        for paths, scope, nothing, any_key in table)
        of_contract = told(re.findall(r"(?m)^- ([\w ]+): (/.*)$",
                                      contract.document()["info"]["description"]))
        self.assertEqual(of_table, of_contract)
        for path, needs in asked.items():
            family = "/users" if UNDER.fullmatch(path) else path
            # the same reranker under another version
            family = "/rerank" if family == "/v2/rerank" else family
            self.assertEqual(needs, {of_table.pop(family, of_contract.get(family))}, path)
        self.assertEqual(of_table, {}, "in the documents, and no route")


if __name__ == "__main__":
    main()
