# SPDX-License-Identifier: Apache-2.0
"""schema/openapi.yaml held against what really happens: every exchange of the scenario tests.

check_exchange() fails if the document does not list the path, the method or the status, if the
body is not of the schema of its status and content type, has a key that the schema does not name,
or a header is not as described; and if a request that was answered with 200 is not one that the
document allows. What is not in the document must be refused.
"""
import functools
import json
import re
from pathlib import Path

import jsonschema
import yaml

from schema_check import Names, compile_schema

CONTRACT = Path(__file__).resolve().parents[2] / "schema" / "openapi.yaml"
# What may answer a path or a method that the document does not have
REFUSED_ELSEWHERE = {"401": "Unauthorized", "403": "Forbidden", "404": "NotFound",
                     "405": "MethodNotAllowed", "400": "Malformed", "503": "Unavailable"}


class Breach(AssertionError):
    """An exchange that is not as the document says."""


def not_a_number(text):
    raise Breach(f"{text} is no JSON")


def read_json(body):
    return json.loads(body, parse_constant=not_a_number)


def resolve(document, node, seen=()):
    """node with every reference replaced by what it names."""
    if isinstance(node, list):
        return [resolve(document, entry, seen) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" not in node:
        return {key: resolve(document, value, seen) for key, value in node.items()}
    name = node["$ref"]
    assert len(node) == 1 and name.startswith("#/") and name not in seen, node
    target = document
    for part in name[2:].split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    return resolve(document, target, seen + (name,))


@functools.lru_cache
def document():
    """The whole document without references."""
    text = CONTRACT.read_text()
    tree = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return resolve(tree, tree)


def pattern_of(path):
    """/users/{id} as an expression for paths as they are sent."""
    pieces = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(map(re.escape, pieces)))


@functools.lru_cache
def patterns():
    return [(path, pattern_of(re.sub(r"^https?://[^/]+", "", server["url"]).rstrip("/") + path))
            for path, item in document()["paths"].items() for operation in item.values()
            if isinstance(operation, dict)
            for server in operation.get("servers", document()["servers"])]


def find_path(target):
    """The document's path of a request's target; None if it has none."""
    target = target.split("?")[0]
    return next((path for path, pattern in patterns() if pattern.fullmatch(target)), None)


def find_response(method, target, status):
    """What the document says of this status: a response object. HEAD is answered as GET is."""
    path = find_path(target)
    operation = document()["paths"].get(path, {}).get(
        "get" if method == "HEAD" else method.lower())
    if operation is None:
        name = REFUSED_ELSEWHERE.get(str(status))
        if name is None:
            raise Breach(f"{method} {target} is not in the document, and was answered {status}")
        return document()["components"]["responses"][name]
    if str(status) not in operation["responses"]:
        raise Breach(f"{method} {path}: the document has no status {status}")
    return operation["responses"][str(status)]


# By a schema's identity: schemas live as long as the document.
CHECKS, NAMES = {}, {}


def check_value(schema, value, what):
    """value is what the schema allows."""
    if id(schema) not in CHECKS:
        CHECKS[id(schema)] = compile_schema(schema)
    if CHECKS[id(schema)](value):
        return
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(value))
    where, why = (error.absolute_path, error.message[:500]) if error else ((), "refused")
    raise Breach(f"{what}: at /{'/'.join(map(str, where))}: {why}")


def check_names(schema, value, what):
    """value has no member that the schema does not name."""
    if id(schema) not in NAMES:
        NAMES[id(schema)] = Names([schema])
    if isinstance(value, (dict, list)):
        lacking = list(NAMES[id(schema)].lacks(value))
        if lacking:
            raise Breach(f"{what}: the document does not name {lacking[:5]}")


def check_headers(described, headers, what):
    for name, header in described.items():
        text = headers[name]
        if text is None:
            if header.get("required"):
                raise Breach(f"{what}: no header {name}")
            continue
        is_integer = header["schema"]["type"] == "integer"
        if is_integer and not text.isdecimal():
            raise Breach(f"{what}: {name}: {text} is no number")
        check_value(header["schema"], int(text) if is_integer else text, f"{what}: {name}")


def check_request(method, target, body, what):
    """Whether the document allows a request that was answered with 200."""
    operation = document()["paths"][find_path(target)][method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return
    value = read_json(body)
    check_value(content["application/json"]["schema"], value, f"{what}: request")


def check_exchange(method, target, body, content_type, answer):
    """body: of the request, bytes or None; content_type: the request's; answer: status, headers,
    body."""
    what = f"{method} {target} -> {answer.status}"
    response = find_response(method, target, answer.status)
    check_headers(response.get("headers", {}), answer.headers, what)
    kind = answer.headers.get_content_type()
    if kind not in response["content"]:
        raise Breach(f"{what}: the document has no {kind}")
    if method != "HEAD" and kind == "application/json":
        schema = response["content"][kind]["schema"]
        value = read_json(answer.body)
        check_value(schema, value, what)
        check_names(schema, value, what)
    if answer.status == 200 and body is not None and "json" in (content_type or "json"):
        check_request(method, target, body, what)
