#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema/openapi.yaml is the truth: a right document, with the routes, methods, error codes and
version of the program, and a checker of exchanges that sees every kind of breach. The harness
holds each exchange of each scenario test against it."""
import copy
import json
import re
import unittest
from email.message import Message

import yaml
from jsonschema import Draft202012Validator

import contract
import models
from harness import ROOT, SharedDaemon, main
from prometheus import read_metrics
from schema_check import compile_schema

SOURCE = yaml.safe_load((ROOT / "schema/openapi.yaml").read_text())
# Codes that end a program, or are logged, and never answer a request
OF_PROGRAMS = {"ok", "bad_file", "usage", "interrupted"}
OPERATIONS = ("get", "post", "put", "patch", "delete")
TEXT = {"type": "string", "minLength": 1}
# OpenAPI 3.1, as far as the document uses it: what stands where, and nothing else
MEDIA = {"type": "object", "required": ["schema"], "additionalProperties": False,
         "properties": {"schema": {"type": "object"}, "example": {}, "examples": {
             "type": "object", "additionalProperties": {"required": ["value"]}}}}
CONTENT = {"type": "object", "minProperties": 1, "additionalProperties": MEDIA}
HEADER = {"type": "object", "required": ["description", "schema"], "additionalProperties": False,
          "properties": {"description": TEXT, "required": {"const": True},
                         "schema": {"type": "object"}}}
PARAMETER = {"type": "object", "required": ["name", "in", "required", "schema"],
             "additionalProperties": False,
             "properties": {"name": TEXT, "in": {"enum": ["path", "query", "header"]},
                            "required": {"type": "boolean"}, "description": TEXT,
                            "schema": {"type": "object"}, "example": {}}}
RESPONSE = {"type": "object", "required": ["description", "content"],
            "additionalProperties": False,
            "properties": {"description": TEXT, "content": CONTENT,
                           "headers": {"type": "object", "additionalProperties": HEADER}}}
OPERATION = {
    "type": "object", "required": ["operationId", "tags", "summary", "responses"],
    "additionalProperties": False,
    "properties": {
        "operationId": TEXT, "summary": TEXT, "description": TEXT,
        "tags": {"type": "array", "minItems": 1, "items": TEXT},
        "servers": {"type": "array", "minItems": 1},
        "security": {"type": "array"}, "parameters": {"type": "array", "items": PARAMETER},
        "servers": {"type": "array", "items": {"type": "object", "required": ["url"],
                                               "properties": {"url": TEXT}}},
        "requestBody": {"type": "object", "required": ["content", "required"],
                        "additionalProperties": False,
                        "properties": {"content": CONTENT, "required": {"type": "boolean"},
                                       "description": TEXT}},
        "responses": {"type": "object", "minProperties": 1, "additionalProperties": False,
                      "patternProperties": {"^[2-5][0-9]{2}$": RESPONSE}}}}
PATH = {"type": "object", "additionalProperties": False,
        "properties": {"parameters": {"type": "array", "items": PARAMETER}} |
        {method: OPERATION for method in OPERATIONS}}
DOCUMENT = {
    "type": "object", "required": ["openapi", "info", "servers", "paths", "components"],
    "additionalProperties": False,
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version", "license"]},
        "servers": {"type": "array", "minItems": 1}, "tags": {"type": "array"},
        "security": {"type": "array"},
        "paths": {"type": "object", "additionalProperties": False,
                  "patternProperties": {"^/": PATH}},
        "components": {"type": "object"}}}


def nodes(tree, where=""):
    """Every node of a tree of objects and arrays, with its pointer."""
    yield where, tree
    for key, value in (tree.items() if isinstance(tree, dict) else
                       enumerate(tree) if isinstance(tree, list) else ()):
        yield from nodes(value, f"{where}/{key}")


def operations():
    """(path, method, operation), references resolved."""
    return [(path, method, entry) for path, methods in contract.document()["paths"].items()
            for method, entry in methods.items() if method != "parameters"]


def source_operations():
    return [(path, method, entry) for path, methods in SOURCE["paths"].items()
            for method, entry in methods.items() if method != "parameters"]


def medias():
    """(where, media object) of every request and response body."""
    for path, method, operation in operations():
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{method} {path}: request, {kind}", media
        for status, response in operation["responses"].items():
            for kind, media in response["content"].items():
                yield f"{method} {path}: {status}, {kind}", media


def changed(value):
    """value, and each copy of it in which one place holds something else or is not there."""
    yield value
    for other in (None, True, 0, 1, -1.5, 2.0, "", "x" * 300, [], {}, [value], {"x": value}):
        yield other
    if isinstance(value, dict):
        for key in value:
            yield {name: entry for name, entry in value.items() if name != key}
            for other in changed(value[key]):
                yield value | {key: other}
        yield value | {"x": 1}
    elif isinstance(value, list):
        for i, entry in enumerate(value):
            for other in changed(entry):
                yield value[:i] + [other] + value[i + 1:]


def codes_of_program():
    """{code: HTTP status} of core/base/status.h."""
    table = (ROOT / "core/base/status.h").read_text()
    rows = re.findall(r'X\(STATUS_\w+, "(\w+)", (\d{3})\)', table)
    return {code: status for code, status in rows if code not in OF_PROGRAMS}


class Document(SharedDaemon):
    @classmethod
    def make_model(cls, folder):
        models.write_vector_model(folder / "m")
        return folder / "m"

    def test_it_is_openapi(self):
        faults = [f"{list(fault.absolute_path)}: {fault.message[:200]}" for fault in
                  Draft202012Validator(DOCUMENT).iter_errors(contract.document())]
        self.assertEqual(faults, [])

    def test_its_schemas_are_json_schema(self):
        for where, media in medias():
            with self.subTest(where):
                Draft202012Validator.check_schema(media["schema"])

    def test_operations_have_names_of_their_own_and_tags_that_are_there(self):
        names = [operation["operationId"] for _, _, operation in operations()]
        self.assertEqual(len(names), len(set(names)))
        tags = {tag["name"] for tag in SOURCE["tags"]}
        self.assertEqual({tag for _, _, entry in operations() for tag in entry["tags"]}, tags)

    def test_path_parameters_are_declared(self):
        for path, methods in contract.document()["paths"].items():
            declared = {entry["name"] for entry in methods.get("parameters", [])
                        if entry["in"] == "path"}
            self.assertEqual(declared, set(re.findall(r"\{(\w+)\}", path)), path)

    def test_every_component_is_used(self):
        used = {node["$ref"] for _, node in nodes(SOURCE) if isinstance(node, dict) and
                isinstance(node.get("$ref"), str)}
        for kind, entries in SOURCE["components"].items():
            if kind != "securitySchemes":
                for name in entries:
                    self.assertIn(f"#/components/{kind}/{name}", used)

    def test_examples_are_what_the_schemas_allow(self):
        n_examples = 0
        for where, media in medias():
            examples = [entry["value"] for entry in media.get("examples", {}).values()]
            examples += [media["example"]] if "example" in media else []
            for example in examples:
                with self.subTest(where):
                    contract.check_value(media["schema"], example, where)
                    contract.check_names(media["schema"], example, where)
                n_examples += 1
        self.assertGreater(n_examples, 20)

    def test_quick_verdicts_are_those_of_jsonschema(self):
        n_bad = 0
        for where, media in medias():
            quick = compile_schema(media["schema"])
            slow = Draft202012Validator(media["schema"])
            examples = [entry["value"] for entry in media.get("examples", {}).values()]
            examples += [media["example"]] if "example" in media else []
            for value in (variant for example in examples for variant in changed(example)):
                verdict = slow.is_valid(value)
                self.assertEqual(quick(value), verdict, f"{where}: {value}")
                n_bad += not verdict
        self.assertGreater(n_bad, 1000)

    def test_routes_are_those_of_the_program(self):
        samples = read_metrics(self.client)
        routes = {match[1] for match in (re.match(
            r'micro_http_request_duration_seconds_count\{route="(.*)"\}', name)
            for name in samples) if match}
        self.assertEqual(set(SOURCE["paths"]), routes - {"none"})

    def test_methods_are_those_of_the_program(self):
        for path, methods in SOURCE["paths"].items():
            answer = self.client.request("TRACE", path.replace("{id}", "x"))
            self.assertEqual(answer.status, 405, path)
            taken = {method.lower() for method in answer.headers["Allow"].split(", ")} - {"head"}
            self.assertEqual(set(methods) - {"parameters"}, taken, path)

    def test_error_codes_are_those_of_the_program(self):
        self.assertEqual(set(SOURCE["components"]["schemas"]["Error"]["properties"]["error"]
                             ["properties"]["code"]["enum"]), set(codes_of_program()))

    def test_each_status_has_the_codes_of_the_program(self):
        wanted = {}
        for code, status in codes_of_program().items():
            wanted.setdefault(status, set()).add(code)
        for path, method, operation in operations():
            for status, response in operation["responses"].items():
                schema = response["content"].get("application/json", {}).get("schema", {})
                if int(status) < 400 or "allOf" not in schema:
                    continue
                with self.subTest(f"{method} {path} {status}"):
                    codes = schema["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]
                    self.assertEqual(set(codes), wanted[status])

    def test_each_code_is_explained_with_its_status(self):
        explained = {}
        for names, status in re.findall(r"(?m)^\| (`[a-z_`, 0-9]+) \| (\d{3}) \| \S.* \|$",
                                        (ROOT / "deploy/README.md").read_text()):
            explained |= {name: status for name in re.findall(r"\w+", names)}
        self.assertEqual(explained, codes_of_program())

    def test_every_operation_can_be_refused_as_all_are(self):
        for path, method, operation in source_operations():
            with self.subTest(f"{method} {path}"):
                wanted = {"405"} if operation.get("security") == [] else {"401", "405", "503"}
                self.assertLessEqual(wanted, set(operation["responses"]))
                if "requestBody" in operation:
                    self.assertLessEqual({"400", "413", "415", "422"}, set(operation["responses"]))

    def test_every_answer_has_a_request_id(self):
        for path, method, operation in operations():
            for status, response in operation["responses"].items():
                self.assertIn("X-Request-Id", response.get("headers", {}),
                              f"{method} {path} {status}")

    def test_version_is_the_program_s(self):
        version = re.search(r"project\(micro VERSION (\S+)",
                            (ROOT / "CMakeLists.txt").read_text())[1]
        self.assertEqual(SOURCE["info"]["version"], version)
        self.assertEqual(self.client.get("/model").json["version"], version)
        changes = (ROOT / "schema/CHANGELOG.md").read_text()
        self.assertEqual(re.findall(r"(?m)^## (\S+)", changes)[0], version)

    def test_it_is_served_as_it_is(self):
        answer = self.client.get("/openapi.yaml")
        self.assertEqual(answer.body, (ROOT / "schema/openapi.yaml").read_bytes())


class FakeAnswer:
    """An answer as it never comes."""

    def __init__(self, status, body, **headers):
        self.status = status
        self.headers = Message()
        self.headers["X-Request-Id"] = "1"
        self.headers["Content-Type"] = "application/json"
        for name, value in headers.items():
            del self.headers[name.replace("_", "-")]
            if value is not None:
                self.headers[name.replace("_", "-")] = value
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


class Checker(unittest.TestCase):
    """What must not pass, beside what must."""
    SCORE = {"model": "0" * 64, "rewards": [0.5, 1], "preference": 0.5, "weights": [1],
             "updates": 0}
    ERROR = {"error": {"message": "m", "type": "invalid_request_error", "param": None,
                       "code": "invalid_type"}}
    REQUEST = b'{"responses":["a","b"]}'

    def check(self, status, body, method="POST", target="/score", request=REQUEST, **headers):
        contract.check_exchange(method, target, request, "application/json",
                                FakeAnswer(status, body, **headers))

    def refuse(self, fragment, *arguments, **more):
        with self.assertRaisesRegex(contract.Breach, fragment):
            self.check(*arguments, **more)

    def changed(self, path, value):
        score = copy.deepcopy(self.SCORE)
        score[path] = value
        return score

    def test_what_is_right_passes(self):
        self.check(200, self.SCORE)
        self.check(200, self.SCORE, target="/v1/score?x=1")
        self.check(422, self.ERROR)
        self.check(200, b"", "HEAD", "/livez", None)

    def test_path_and_method_that_are_not_there(self):
        for method, target in (("POST", "/scores"), ("POST", "/v2/score"), ("GET", "/score"),
                               ("GET", "/users/a/b")):
            self.refuse("is not in the document", 200, self.SCORE, method, target)
        self.check(404, {"error": self.ERROR["error"] | {"code": "not_found"}}, "GET", "/scores")
        self.refuse("code", 404, self.ERROR, "GET", "/scores")

    def test_status_that_is_not_there(self):
        self.refuse("has no status 429", 429, self.ERROR)
        self.refuse("has no status 204", 204, {})

    def test_members_that_are_missing_unknown_or_of_another_type(self):
        less = {key: value for key, value in self.SCORE.items() if key != "rewards"}
        self.refuse("", 200, less)
        self.refuse("does not name .*'/seconds'", 200, self.changed("seconds", 1))
        self.refuse("", 200, self.changed("rewards", ["0.5", 1]))
        self.refuse("", 200, self.changed("weights", [1.5]))
        self.refuse("does not name .*/error/hint", 422,
                    {"error": self.ERROR["error"] | {"hint": "h"}})
        item = {key: self.SCORE[key] for key in ("rewards", "weights", "updates")}
        self.check(200, {"model": "0" * 64, "items": [item]})
        self.refuse("does not name .*/items/0/x", 200,
                    {"model": "0" * 64, "items": [item | {"x": 1}]})

    def test_code_of_another_status(self):
        self.refuse("overloaded", 422, {"error": self.ERROR["error"] | {"code": "overloaded"}})

    def test_numbers_that_are_none(self):
        for text in (b"NaN", b"Infinity", b"-Infinity"):
            self.refuse("no JSON", 200,
                        json.dumps(self.SCORE).encode().replace(b"[0.5, 1]", b"[" + text + b"]"))

    def test_headers(self):
        self.refuse("no header X-Request-Id", 200, self.SCORE, X_Request_Id=None)
        self.refuse("X-Request-Id", 200, self.SCORE, X_Request_Id="x" * 129)
        body = {"error": {"message": "m", "type": "overloaded_error", "param": None,
                          "code": "overloaded"}}
        self.check(503, body, Retry_After="1")
        self.refuse("no header Retry-After", 503, body)
        self.refuse("Retry-After", 503, body, Retry_After="0")
        self.refuse("Retry-After", 503, body, Retry_After="soon")

    def test_content_type(self):
        self.refuse("has no text/html", 200, self.SCORE, Content_Type="text/html")

    def test_request_that_should_have_been_refused(self):
        self.refuse("request", 200, self.SCORE, request=b'{"responses":[]}')
        self.refuse("request", 200, self.SCORE, request=b'{"responses":["a"],"temperature":1}')


if __name__ == "__main__":
    main()
