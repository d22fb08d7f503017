#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of a comparison is well formed, complete in itself and safe, whatever the names are."""
import html
import html.parser
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

from harness import PATIENCE, main, run

FULL = (8, 16, 16, 5, 3)
SIZES = [FULL, (1, 0, 0, 0, 1), (1, 1, 1, 1, 1), (10, 40, 64, 16, 3), (0, 0, 0, 0, 1)]
HOSTILE = [
    "</svg><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "]]>--></style></title><!--",
    "javascript:alert(1) url(https://example.org/x) &lt;&#x3c;",
    "%s%n%d{}\\u003c",
    "\u202eright to left\u202c \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\x01\x1b[31m\x7f\x85 line\nbreak\ttab \ufffe\uffff",
    "",
    "x" * 10_000,
    "\u4e2d\U0001f600 " * 2_000,
]
VOID = {"meta", "br"}
# the page, 360 px wide; its title becomes the page's widths and the size of a map's numbers
FRAME = """<!DOCTYPE html>
<title></title>
<iframe id="page" style="width: 360px; height: 800px; border: 0" srcdoc="%s"></iframe>
<script>
addEventListener("load", () => {
	const page = document.getElementById("page").contentDocument;
	const root = page.documentElement;
	const sizes = Array.from(page.querySelectorAll("svg .cell"), cell => {
		const chart = cell.ownerSVGElement;
		return parseFloat(getComputedStyle(cell).fontSize) *
			chart.getBoundingClientRect().width / chart.viewBox.baseVal.width;
	});
	document.title = [root.clientWidth, root.scrollWidth, ...sizes.slice(0, 1)].join(" ");
});
</script>
"""
MINUS_ZERO_OR_WORSE = re.compile(r"(?i)(?<![\w.])(nan|inf|infinity)(?![\w])|(?<!\d)-0(\.0*)?(?![.\d])")
NUMERIC = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "width", "height", "fill-opacity"}


class Page(html.parser.HTMLParser):
    """Every element closed in order; what the page holds, by tag."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], {}, []
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attributes):
        self.tags.setdefault(tag, []).append(dict(attributes))
        assert len(dict(attributes)) == len(attributes), (tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.setdefault(tag, []).append(dict(attributes))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.open, self.getpos())

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)


def sample(size, *name):
    status, text, errors = run("tests/sample_page", *map(str, size), *name)
    assert (status, errors) == (0, ""), errors
    return text


def drawings(text):
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


class ReportPage(unittest.TestCase):
    def check(self, text):
        page = Page(text)
        self.assertTrue(text.startswith("<!DOCTYPE html>\n"))
        self.assertLessEqual(set(page.tags), {
            "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section",
            "h1", "h2", "h3", "p", "div", "span", "strong", "small", "bdi", "br", "dl", "dt", "dd",
            "table", "caption", "thead", "tr", "th", "td", "figure", "figcaption", "details",
            "summary", "svg", "g", "line", "text", "rect", "circle", "path", "polygon", "polyline"})
        for tag, elements in page.tags.items():
            for attributes in elements:
                for name in attributes:
                    self.assertFalse(name.startswith("on"), (tag, attributes))
                    self.assertNotIn(name, ("href", "src", "xlink:href", "action", "style"))
        style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
        self.assertNotRegex(style, r"url\(|@import|https?:")
        self.check_drawings(text)
        return page

    def check_drawings(self, text):
        for svg in drawings(text):
            self.assertEqual(svg.get("role"), "img")
            self.assertRegex(svg.get("aria-label"), r"\d")
            left, top, width, height = map(float, svg.get("viewBox").split())
            for element in svg.iter():
                for name in NUMERIC & set(element.keys()):
                    self.assertRegex(element.get(name), r"^-?\d+(\.\d+)?$")
                for name in ("points", "d", "transform"):
                    self.assertIsNone(MINUS_ZERO_OR_WORSE.search(element.get(name, "")))
                if element.get("x") is not None and element.get("y") is not None:
                    self.assertTrue(left <= float(element.get("x")) <= left + width, element.attrib)
                    self.assertTrue(top <= float(element.get("y")) <= top + height, element.attrib)

    def test_every_size(self):
        for size in SIZES:
            with self.subTest(size=size):
                page = self.check(sample(size))
                self.assertIsNone(MINUS_ZERO_OR_WORSE.search("".join(page.text)))

    def test_it_is_made_for_phones_and_for_the_dark(self):
        page = Page(sample(FULL))
        self.assertIn({"name": "viewport", "content": "width=device-width, initial-scale=1"},
                      page.tags["meta"])
        light, dark = re.search(r":root \{(.*?)\}.*?prefers-color-scheme: dark\) \{\s*"
                                r":root \{(.*?)\}", sample(FULL), re.DOTALL).groups()
        colours = [dict(re.findall(r"(--[\w-]+): (#\w+);", block)) for block in (light, dark)]
        self.assertEqual(set(colours[0]), set(colours[1]))
        self.assertGreater(len(colours[0]), 10)
        for name in colours[0]:
            self.assertNotEqual(colours[0][name], colours[1][name], name)

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
    def test_it_fits_a_phone(self):
        # a frame, because a window of chromium's own may not be so narrow
        with tempfile.TemporaryDirectory() as folder:
            for size, has_numbers in ((FULL, True), ((10, 40, 64, 16, 3), False)):
                frame = Path(folder) / "frame.html"
                frame.write_text(FRAME % html.escape(sample(size)), encoding="utf-8")
                done = subprocess.run(
                    ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                     "--hide-scrollbars", f"--user-data-dir={folder}/profile", "--virtual-time-budget=2000",
                     "--dump-dom", frame.as_uri()], capture_output=True, text=True,
                    timeout=2 * PATIENCE, check=True)
                client, scroll, *cell = map(float, re.search(r"<title>([\d. ]+)</title>",
                                                             done.stdout)[1].split())
                with self.subTest(size=size):
                    self.assertEqual(client, scroll)
                    self.assertLessEqual(client, 360)
                    self.assertEqual(len(cell), has_numbers)
                    self.assertTrue(all(pixels >= 10 for pixels in cell), cell)

    def test_curves_that_were_not_asked_for_are_named(self):
        self.assertNotIn("Not drawn", sample(FULL))
        text = sample((8, 16, 0, 0, 3))
        for option in "--budgets", "--heads-curve":
            self.assertIn(option, re.search(r"Not drawn: (.*)</p>", text)[1])

    def test_every_chart_has_its_numbers_as_a_table(self):
        page = self.check(sample(FULL))
        self.assertEqual(len(page.tags["figure"]), 9)
        self.assertEqual(len(page.tags["details"]), 9)
        self.assertEqual(len(page.tags["table"]), 10)
        charts = [svg for svg in drawings(sample(FULL)) if svg.get("class") != "sign"]
        self.assertEqual(len(charts), 9)
        for svg in charts:
            self.assertTrue(list(svg.iter("title")), svg.get("aria-label"))
            self.assertTrue([t for t in svg.iter("text") if t.get("class") == "axis"])

    def test_hostile_names(self):
        for name in HOSTILE:
            with self.subTest(name=name[:40]):
                text = sample(FULL, name)
                page = self.check(text)
                self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
                if name and name.isprintable() and len(name) < 1_000:
                    self.assertIn(name, page.text)
                for svg in drawings(text):
                    for element in svg.iter("text"):
                        self.assertLess(len(element.text or ""), 200)

    def test_long_names_of_contexts_are_told_apart(self):
        name = "a conversation about water, opinion group 1"
        charts = [svg for svg in drawings(sample(FULL, name))
                  if "contexts;" in svg.get("aria-label") or "contexts," in svg.get("aria-label")]
        self.assertEqual(len(charts), 3)  # accuracy, NLL, the best head
        for svg in charts:
            self.assertIn(name, [t.text for t in svg.iter("text") if t.get("class") == "name"])

    def test_names_that_are_no_utf8(self):
        self.check(sample(FULL, os.fsdecode(b"a\xff\xed\xa0\x80\xf0\x9f")))

    def test_a_huge_name_does_not_multiply(self):
        self.assertLess(len(sample((8, 16, 16, 5, 3), "x" * 10_000)), 4_000_000)

    def test_labels_at_the_ends_of_lines_keep_apart(self):
        for size in ((8, 0, 0, 0, 3), (10, 0, 0, 0, 1)):
            charts = [svg for svg in drawings(sample(size)) if svg.get("class") != "sign"]
            self.assertEqual(len(charts), 2)
            for svg in charts:
                places = sorted(float(t.get("y")) for t in svg.iter("text")
                                if t.get("class") == "value")
                self.assertEqual(len(places), size[0])
                for a, b in zip(places, places[1:]):
                    self.assertGreater(b - a, 15.8)

    def test_same_bytes(self):
        self.assertEqual(sample(FULL), sample(FULL))


if __name__ == "__main__":
    main()
