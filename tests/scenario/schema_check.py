# SPDX-License-Identifier: Apache-2.0
"""JSON Schema made into functions once, so that tests can hold every answer of a daemon under load
against it: python3-jsonschema takes a millisecond for what this does in ten microseconds.

compile_schema() knows the keywords that schema/openapi.yaml uses, and refuses any other. It says
yes or no; test_contract.py holds its verdicts against python3-jsonschema's, which also words the
faults.
"""
import re

NOTES = {"description", "format", "contentEncoding", "default", "title", "example", "examples",
         "deprecated", "readOnly"}
PYTHON_TYPES = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value):
    return is_number(value) and value == int(value)


def of_type(name):
    if name == "number":
        return is_number
    if name == "integer":
        return is_integer
    kind = PYTHON_TYPES[name]
    return lambda value: isinstance(value, kind)


def check_type(names, _schema):
    checks = [of_type(name) for name in ([names] if isinstance(names, str) else names)]
    return checks[0] if len(checks) == 1 else lambda value: any(check(value) for check in checks)


def same(a, b):
    """JSON's equality: true is not 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def check_enum(values, _schema):
    return lambda value: any(same(value, entry) for entry in values)


def check_const(constant, _schema):
    return lambda value: same(value, constant)


def check_minimum(limit, _schema):
    return lambda value: not is_number(value) or value >= limit


def check_maximum(limit, _schema):
    return lambda value: not is_number(value) or value <= limit


def check_pattern(pattern, _schema):
    search = re.compile(pattern).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def check_min_length(limit, _schema):
    return lambda value: not isinstance(value, str) or len(value) >= limit


def check_max_length(limit, _schema):
    return lambda value: not isinstance(value, str) or len(value) <= limit


def check_min_items(limit, _schema):
    return lambda value: not isinstance(value, list) or len(value) >= limit


def check_max_items(limit, _schema):
    return lambda value: not isinstance(value, list) or len(value) <= limit


def check_unique_items(wanted, _schema):
    return lambda value: not wanted or not isinstance(value, list) or not any(
        same(a, b) for i, a in enumerate(value) for b in value[:i])


def check_items(schema, _schema):
    check = compile_schema(schema)
    return lambda value: not isinstance(value, list) or all(map(check, value))


def check_required(names, _schema):
    names = frozenset(names)
    return lambda value: not isinstance(value, dict) or names <= value.keys()


def check_properties(properties, _schema):
    checks = [(name, compile_schema(schema)) for name, schema in properties.items()]
    return lambda value: not isinstance(value, dict) or all(
        name not in value or check(value[name]) for name, check in checks)


def check_additional(schema, beside):
    named = beside.get("properties", {}).keys()
    check = compile_schema(schema)
    return lambda value: not isinstance(value, dict) or all(
        check(entry) for name, entry in value.items() if name not in named)


def check_all(schemas, _schema):
    checks = [compile_schema(schema) for schema in schemas]
    return lambda value: all(check(value) for check in checks)


def check_any(schemas, _schema):
    checks = [compile_schema(schema) for schema in schemas]
    return lambda value: any(check(value) for check in checks)


def check_one(schemas, _schema):
    checks = [compile_schema(schema) for schema in schemas]
    return lambda value: sum(check(value) for check in checks) == 1


KEYWORDS = {
    "type": check_type, "enum": check_enum, "const": check_const, "minimum": check_minimum,
    "maximum": check_maximum, "pattern": check_pattern, "minLength": check_min_length,
    "maxLength": check_max_length, "minItems": check_min_items, "maxItems": check_max_items,
    "uniqueItems": check_unique_items, "items": check_items, "required": check_required, "properties": check_properties,
    "additionalProperties": check_additional, "allOf": check_all, "anyOf": check_any,
    "oneOf": check_one}


def compile_schema(schema):
    """A function of a value: whether the schema allows it."""
    if isinstance(schema, bool):
        return lambda value: schema
    checks = [KEYWORDS[word](argument, schema) for word, argument in schema.items()
              if word not in NOTES]
    if len(checks) == 1:
        return checks[0]
    return lambda value: all(check(value) for check in checks)


def branches(schema):
    """schema and all that is composed into it."""
    yield schema
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, []):
            yield from branches(part)


class Names:
    """The object members that any of some schemas names, at every depth."""

    def __init__(self, schemas):
        parts = [part for schema in schemas for part in branches(schema)]
        names = {name for part in parts for name in part.get("properties", {})}
        self.members = {name: Names([part["properties"][name] for part in parts
                                     if name in part.get("properties", {})]) for name in names}
        others = [part["additionalProperties"] for part in parts
                  if isinstance(part.get("additionalProperties"), dict)]
        self.others = Names(others) if others else None
        items = [part["items"] for part in parts if "items" in part]
        self.items = Names(items) if items else None

    def lacks(self, value, where=""):
        """JSON pointers of members of value that have no name."""
        if isinstance(value, dict):
            for key, entry in value.items():
                below = self.members.get(key, self.others)
                if below is None:
                    yield f"{where}/{key}"
                elif isinstance(entry, (dict, list)):
                    yield from below.lacks(entry, f"{where}/{key}")
        elif self.items is not None:
            for i, entry in enumerate(value):
                if isinstance(entry, (dict, list)):
                    yield from self.items.lacks(entry, f"{where}/{i}")
