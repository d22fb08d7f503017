#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What microd refuses to start on: exit status 1 and one line that says what is wrong."""
import json
import socket
import sqlite3
import struct

import models
from harness import Scenario, main, run
from models import embedding

FEEDBACK = {"user": "ada", "prompt": embedding([1, 0, 0, 0]), "chosen": embedding([0, 1, 0, 0]),
            "rejected": embedding([1, 0, 0, 0])}


def good():
    return models.safetensors(models.vector_tensors(), models.vector_metadata())


def with_tensors(**changes):
    """Tensors by name, "__" for "."; None leaves one out."""
    tensors = models.vector_tensors()
    for name, values in changes.items():
        tensors[name.replace("__", ".")] = values
    return models.safetensors({name: values for name, values in tensors.items()
                               if values is not None}, models.vector_metadata())


def with_metadata(key, value):
    metadata = models.vector_metadata() | {key: value}
    return models.safetensors(models.vector_tensors(),
                              {k: v for k, v in metadata.items() if v is not None})


def with_header(change):
    """change(header) on the parsed header; the data stays."""
    raw = good()
    size = struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:8 + size])
    change(header)
    return models.pack(header, raw[8 + size:])


def overlap(header):
    header["heads.weight"]["data_offsets"] = [0, 48]


def duplicate_key():
    raw = good()
    size = struct.unpack_from("<Q", raw)[0]
    text = raw[8:8 + size].rstrip()
    return models.pack(text[:-1] + b',"router.bias":{}}', raw[8 + size:])


# (what, the bytes of the model file, fragments of the message)
MODELS = [
    ("empty", b"", ["empty file"]),
    ("a few bytes", b"1234", ["too short"]),
    ("no safetensors at all", b"#!/bin/sh\necho this is a script, not a model\n", ["not a safetensors file"]),
    ("header longer than the file", struct.pack("<Q", 5000) + b"{}", ["truncated"]),
    ("header over the limit", struct.pack("<Q", 1 << 62) + b"{}", ["want at most 100000000"]),
    ("header that is no JSON", models.pack(b'{"a":', b""), ["header: line 1, column"]),
    ("data cut short", good()[:-4], ["data"]),
    ("data with a tail", good() + b"1234", ["data"]),
    ("no data at all", good()[:8 + struct.unpack_from("<Q", good())[0]], ["data_offsets"]),
    ("overlapping offsets", with_header(overlap), ["overlap"]),
    ("offsets beyond the data", with_header(
        lambda h: h["heads.weight"].update(data_offsets=[12, 1 << 40])), ["data_offsets"]),
    ("offsets backwards", with_header(
        lambda h: h["heads.weight"].update(data_offsets=[60, 12])), ["data_offsets"]),
    ("shape that overflows", with_header(
        lambda h: h["heads.weight"].update(shape=[1 << 40, 1 << 40])), ["heads.weight", "shape"]),
    ("negative shape", with_header(
        lambda h: h["heads.weight"].update(shape=[-3, 4])), ["heads.weight", "shape"]),
    ("shape that does not fit the data", with_header(
        lambda h: h["heads.weight"].update(shape=[3, 5])), ["heads.weight", "[3, 5]"]),
    ("unknown dtype", with_header(
        lambda h: h["heads.center"].update(dtype="F99")), ["heads.center", "F99"]),
    ("integers for weights", with_header(
        lambda h: h["heads.center"].update(dtype="I32")), ["heads.center", "I32", "want F32"]),
    ("duplicate key", duplicate_key(), ["header", "router.bias"]),
    ("another vector of centers", with_tensors(heads__center=[0.0, 0.0]),
     ["heads.center", "[2]", "want [3]"]),
    ("router of another dimension", with_tensors(router__weight=[[0.0] * 5] * 3),
     ["router.weight", "[3, 5]", "want [3, 4]"]),
    ("heads that are a vector", with_tensors(heads__weight=[0.0] * 12),
     ["heads.weight", "[12]", "want"]),
    ("no heads", with_tensors(heads__weight=None), ["heads.weight", "missing"]),
    ("no router", with_tensors(router__weight=None, router__bias=None),
     ["router.bias", "missing"]),
    ("a tensor too many", with_tensors(score__weight=[1.0]), ["unexpected tensor score.weight"]),
    ("NaN", with_tensors(heads__center=[0.0, float("nan"), 0.0]),
     ["heads.center", "1", "not finite"]),
    ("infinity", with_tensors(router__bias=[0.0, 0.0, float("inf")]),
     ["router.bias", "2", "not finite"]),
    ("no format", with_metadata("format", None), ["format", "micro/1"]),
    ("format of the future", with_metadata("format", "micro/2"), ["micro/2", "micro/1"]),
    ("no encoder", with_metadata("encoder", None), ["encoder"]),
    ("unknown encoder", with_metadata("encoder", "bert:4"), ["bert:4", "hash:"]),
    ("encoder of another dimension", with_metadata("encoder", "none:5"), ["none:5", "5", "4"]),
    ("fingerprint of another encoder", with_metadata("encoder", "hash:4"),
     ["hash:4", "cosine 0.000000, want at least 0.999"]),
    ("fingerprint that is no base64", with_metadata("encoder.fingerprint", "***"),
     ["encoder.fingerprint"]),
    ("template with an unknown word", with_metadata("template.phi", "{answer}"),
     ["template.phi", "offset 0", "{response}"]),
    ("too few labels", with_metadata("heads.labels", '["a"]'), ["heads.labels", "3"]),
    ("mask that is no JSON", with_metadata("heads.mask", "none"), ["heads.mask"]),
    ("all heads masked", with_metadata("heads.mask", "[true,true,true]"),
     ["heads.mask", "all heads are masked"]),
]


class Refused(Scenario):
    def setUp(self):
        super().setUp()
        self.model = self.folder / "model.safetensors"
        self.state = self.folder / "micro.db"
        models.write_vector_model(self.model)

    def refuse(self, *fragments, status=1, options=()):
        """microd must end with this status and one line on stderr that has all fragments."""
        got, output, errors = run("microd", "--model", self.model, "--state", self.state,
                                  "--port", "0", "--log-level", "error", *options)
        self.assertEqual((got, output), (status, ""), errors)
        lines = errors.splitlines()
        self.assertEqual(len(lines), 1, errors)
        for fragment in fragments:
            self.assertIn(fragment, lines[0])
        self.assertNotIn("port=", lines[0])


class BadModels(Refused):
    def test_bad_models(self):
        for what, content, fragments in MODELS:
            with self.subTest(what):
                self.model.write_bytes(content)
                self.refuse("model.safetensors", *fragments)

    def test_every_truncation_is_refused(self):
        content = good()
        for length in range(0, len(content), 61):
            self.model.write_bytes(content[:length])
            self.refuse("model.safetensors")

    def test_model_that_is_not_there(self):
        self.model.unlink()
        self.refuse("model.safetensors", "No such file")

    def test_model_that_is_a_folder(self):
        self.model.unlink()
        self.model.mkdir()
        self.refuse("model.safetensors", "regular file")

    def test_text_model_with_another_fingerprint(self):
        values, shapes, metadata = models.read_safetensors(models.text_model(self.folder))
        metadata["encoder.fingerprint"] = models.floats_base64(
            [1.0] + [0.0] * (shapes["heads.weight"][1] - 1))
        rows = {name: values[name] if len(shape) == 1 else
                [values[name][i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])]
                for name, shape in shapes.items()}
        self.model.write_bytes(models.safetensors(rows, metadata))
        self.refuse("model.safetensors", "hash:512", "0.999")


class BadStates(Refused):
    def feed(self):
        """A right database with 40 events."""
        daemon = self.start(self.model)
        for number in range(40):
            daemon.client.post("/feedback", FEEDBACK | {"id": f"{number:0200}"})
        daemon.stop()

    def execute(self, *statements):
        connection = sqlite3.connect(self.state)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    def test_text_file(self):
        self.state.write_text("these are my notes, please do not overwrite them\n" * 100)
        before = self.state.read_bytes()
        self.refuse("micro.db", "not a database")
        self.assertEqual(self.state.read_bytes(), before)

    def test_database_of_another_application(self):
        self.execute("CREATE TABLE bookmarks (url TEXT)")
        before = self.state.read_bytes()
        self.refuse("micro.db")
        self.assertEqual(self.state.read_bytes(), before)

    def test_newer_schema(self):
        self.feed()
        self.execute("PRAGMA user_version = 999")
        self.refuse("micro.db", "999")

    def test_missing_table(self):
        self.feed()
        connection = sqlite3.connect(self.state)
        tables = [row[0] for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        connection.close()
        self.assertTrue(tables)
        self.execute(f"DROP TABLE {tables[0]}")
        self.refuse("micro.db")

    def test_corrupted_page(self):
        self.feed()
        content = bytearray(self.state.read_bytes())
        for at in range(4096, len(content), 4096):
            content[at:at + 64] = b"\xa5" * 64
        self.state.write_bytes(content)
        self.refuse("micro.db")

    def test_truncated_database(self):
        self.feed()
        content = self.state.read_bytes()
        self.state.write_bytes(content[:len(content) // 2])
        self.refuse("micro.db")

    def test_folder_that_is_not_there(self):
        self.state = self.folder / "nowhere" / "micro.db"
        self.refuse("nowhere/micro.db")


class BadStarts(Refused):
    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            got, _, errors = run("microd", "--model", self.model, "--state", self.state,
                                 "--port", port, "--log-level", "error")
        self.assertEqual(got, 1, errors)
        self.assertIn(f"127.0.0.1:{port}", errors)
        self.assertIn("in use", errors)

    def test_port_of_a_running_microd(self):
        daemon = self.start(self.model)
        self.state = self.folder / "other.db"
        got, _, errors = run("microd", "--model", self.model, "--state", self.state,
                             "--port", daemon.port)
        self.assertEqual(got, 1, errors)
        self.assertIn("in use", errors)
        self.assertEqual(daemon.client.get("/livez").status, 200)

    def test_address_that_is_none(self):
        self.refuse("not an address", options=("--listen", "not an address"))

    def test_usage(self):
        cases = [
            (["--port", "70000"], ["--port", "70000", "65535"]),
            (["--port", "abc"], ["--port", "abc"]),
            (["--threads", "0"], ["--threads", "0"]),
            (["--tau", "0"], ["--tau", "0"]),
            (["--tau", "nan"], ["--tau", "nan"]),
            (["--drift", "1"], ["--drift", "1"]),
            (["--max-body", "64Q"], ["--max-body", "64Q"]),
            (["--log-level", "loud"], ["--log-level", "loud", "debug"]),
            (["--prot", "1"], ["--prot", "--port"]),
            (["--port"], ["--port"]),
            (["stray"], ["stray"]),
        ]
        for options, fragments in cases:
            with self.subTest(options=options):
                got, output, errors = run("microd", "--model", self.model, "--state", self.state,
                                          *options)
                self.assertEqual((got, output), (2, ""), errors)
                for fragment in fragments:
                    self.assertIn(fragment, errors)

    def test_model_is_required(self):
        got, _, errors = run("microd")
        self.assertEqual(got, 2, errors)
        self.assertIn("--model", errors)

    def test_environment_out_of_range_names_the_variable(self):
        got, _, errors = run("microd", "--model", self.model, env={"MICROD_TAU": "-1"})
        self.assertEqual(got, 2, errors)
        self.assertIn("MICROD_TAU", errors)


if __name__ == "__main__":
    main()
