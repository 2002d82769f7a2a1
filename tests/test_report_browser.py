"""The report in a real browser: it loads, filters, opens a model, and shows the files' numbers."""

from __future__ import annotations

import json
import re
import time
import unittest
from pathlib import Path
from typing import Any

from hf_tests.outcome import Example
from hf_tests.report import page, reading
from tests import browser, made, support

REASON = browser.missing()
UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "MiB": 1.0, "GiB": 1024.0}
ATTACK = "<img src=x onerror=\"document.title='taken'\">'\"\u202e</script>"


@unittest.skipIf(REASON is not None, REASON or "")
class TestInChromium(unittest.TestCase):
    driver: Any
    path: Path

    @classmethod
    def setUpClass(cls) -> None:
        says = {"error": ATTACK, "hint": ATTACK, "traceback": ATTACK, "log_tail": ATTACK}
        hostile = made.bad(f"x/{ATTACK}", "error", "cuda_error", "cuda:0", family="gpt", **says)
        answers = made.passed(
            f"x/{ATTACK}",
            family="gpt",
            predictions=[{ATTACK: ATTACK}],
            examples=(Example(ATTACK, ATTACK),),
        )
        checks = [*made.every_status(), hostile, answers]
        cls.path = page.write(reading.read(made.write(support.class_folder(cls), checks)))
        cls.driver = browser.start()
        cls.addClassCleanup(cls.driver.quit)

    def setUp(self) -> None:
        self.driver.get("about:blank")  # or a changed hash alone would not load it anew
        self.load("")

    def tearDown(self) -> None:
        self.assertEqual(self.driver.get_log("browser"), [], "nothing on the console")
        self.assertNotIn("taken", self.driver.title)

    def load(self, hash_: str) -> None:
        self.driver.get(f"{self.path.as_uri()}{hash_}")

    def script(self, text: str, *arguments: Any) -> Any:
        return self.driver.execute_script(f"return {text}", *arguments)

    def shown(self) -> list[str]:
        """Texts of the models' names that can be seen in the matrix."""
        return self.script(  # type: ignore[no-any-return]
            "[...document.querySelectorAll('tr.line th a')]"
            ".filter(a => a.getClientRects().length).map(a => a.textContent)"
        )

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def until(self, selector: str) -> Any:
        """The element, as soon as it is seen."""
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            for found in self.driver.find_elements("css selector", selector):
                if found.is_displayed():
                    return found
            time.sleep(0.02)
        raise AssertionError(f"{selector} is not seen")

    def choose(self, name: str, value: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.one(f"[name={name}]")).select_by_value(value)

    def test_loads_and_nothing_of_a_model_runs(self) -> None:
        self.assertEqual(len(self.shown()), 6)
        self.assertEqual(self.script("document.querySelectorAll('img, iframe').length"), 0)
        self.assertEqual(self.script("document.querySelectorAll('script').length"), 1)
        self.assertFalse(self.script("document.title").startswith("taken"))

    def test_filters_by_each_choice_and_keeps_it_in_the_address(self) -> None:
        for name, value, models in (
            ("family", "t5", ["t5-small"]),
            ("status", "crashed", ["gpt2"]),
            ("device", "openvino", ["bert-base-uncased", "owner/tiny-bert", "gpt2"]),
            ("error", "wrong_output", ["owner/tiny-bert"]),
        ):
            with self.subTest(name):
                self.choose(name, value)
                self.assertEqual(self.shown(), models)
                hash_ = self.script("location.hash")
                self.assertEqual(hash_, f"#{name}={value}")
                self.driver.get("about:blank")
                self.load(hash_)  # as somebody would who was sent the address
                self.assertEqual(self.shown(), models)
                self.assertEqual(self.one("#shown").text, f"{len(models)} of 6 models")
                self.one("button[type=reset]").click()
                self.until("tr.line[data-m='3']")
                self.assertEqual(len(self.shown()), 6)

    def test_filters_go_together_and_may_leave_nothing(self) -> None:
        self.choose("family", "gpt")
        self.choose("status", "passed")
        self.choose("device", "openvino")
        self.assertEqual(self.shown(), [])
        self.until("#nothing #clear").click()
        self.until("tr.line[data-m='3']")
        self.assertEqual(len(self.shown()), 6)

    def test_search(self) -> None:
        self.one("[name=q]").send_keys("TINY owner")
        self.assertEqual(self.shown(), ["owner/tiny-bert"])
        self.assertIn("q=TINY+owner", self.script("location.hash"))

    def test_counts_lead_to_their_checks(self) -> None:
        self.one(".counts a[href='#status=failed']").click()
        self.until("#shown")
        self.assertEqual(self.shown(), ["owner/tiny-bert"])

    def test_a_models_page_by_mouse_and_keyboard(self) -> None:
        from selenium.webdriver.common.keys import Keys

        link = next(
            item
            for item in self.driver.find_elements("css selector", "tr.line th a")
            if item.text == "gpt2"
        )
        link.send_keys(Keys.ENTER)
        article = self.until("article.open")
        self.assertEqual(self.script("document.activeElement.textContent"), "gpt2")
        self.assertFalse(self.one("#overview").is_displayed())
        details = article.find_elements("css selector", "summary")
        details[0].send_keys(Keys.ENTER)
        self.assertIn("RuntimeError: it did not work", self.until("article.open pre").text)
        article.find_element("css selector", "[data-step='1']").click()
        self.assertEqual(self.until("article.open h2").text, "distilgpt2")
        self.one("body").send_keys(Keys.ESCAPE)
        self.until("#overview")
        self.assertEqual(self.script("document.activeElement.textContent"), "distilgpt2")
        self.one("body").send_keys("/")
        self.until("input:focus")

    def test_a_browser_that_cannot_unpack_says_so(self) -> None:
        added = self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument",
            {"source": "delete window.DecompressionStream"},
        )
        self.addCleanup(
            self.driver.execute_cdp_cmd, "Page.removeScriptToEvaluateOnNewDocument", added
        )
        self.driver.get("about:blank")
        self.load("#model=bert-base-uncased")  # all is well with it
        self.assertIn("cannot unpack", self.until("#unpacked-not").text)
        self.load("#model=gpt2")  # stands in the file as it is
        self.until("article.open")
        self.assertFalse(self.one("#unpacked-not").is_displayed())

    def test_the_filters_stand_above_what_went_wrong(self) -> None:
        self.choose("error", "wrong_output")
        links = self.driver.find_elements("css selector", "#wrong .who > span a")
        self.assertEqual([a.text for a in links if a.is_displayed()], ["owner/tiny-bert"])
        tops = [self.one(name).location["y"] for name in ("#filters", "#wrong", "#models")]
        self.assertEqual(tops, sorted(tops))

    def test_its_numbers_are_the_files(self) -> None:
        run = json.loads((self.path.parent / "run.json").read_text())
        counts = {
            item.find_element("css selector", ".chip").text.split(" ", 1)[1]: int(
                item.find_element("css selector", "b").text
            )
            for item in self.driver.find_elements("css selector", ".counts a")
        }
        self.assertEqual(
            counts,
            {
                name.replace("_", " "): number
                for name, number in run["counts"].items()
                if number and name != "total"
            },
        )
        file = next(row["file"] for row in run["checks"] if row["model"] == "bert-base-uncased")
        figures = json.loads((self.path.parent / file).read_text())["performance"]
        self.load("#model=bert-base-uncased")
        self.until("article.open")
        rows = {
            row.find_element("css selector", "th").text: [
                cell.text for cell in row.find_elements("css selector", "td")
            ]
            for row in self.driver.find_elements("css selector", "article.open .figures tr")
            if row.find_elements("css selector", "th[scope=row]")
        }
        for label, key in (
            ("median", "median_time"),
            ("mean", "avg_time"),
            ("99th percentile", "p99_time"),
            ("first inference", "first_inference_time"),
            ("peak of the process", "peak_memory_mb"),
            ("error (nrmse)", "parity"),
        ):
            for text, found in zip(rows[label], figures.values(), strict=True):
                self.same(text, found[key])
        self.assertEqual(
            rows["doubts"],
            ["; ".join(found["doubts"]) or "none" for found in figures.values()],
        )

    def same(self, text: str, value: float) -> None:
        """The text is the value, to the digits that it has."""
        number, _, unit = text.replace(",", "").partition(" ")
        scale = UNITS[unit] if unit else 1.0
        mantissa, _, exponent = number.partition("e")
        last = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        self.assertLessEqual(abs(float(number) - value / scale), 0.501 * last, text)

    def read_aloud(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Role, name and properties of all that a screen reader is told of."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            (
                node["role"]["value"],
                node.get("name", {}).get("value", "").strip(),
                {item["name"]: item["value"].get("value") for item in node.get("properties", ())},
            )
            for node in nodes
            if not node.get("ignored")
        ]

    def test_a_screen_reader_is_told_what_is_what(self) -> None:
        heard = self.read_aloud()
        roles = {role for role, _, _ in heard}
        self.assertLessEqual({"banner", "main", "search", "contentinfo", "status"}, roles)
        self.assertIn(("columnheader", "cuda:0"), [(role, name) for role, name, _ in heard])
        self.assertIn(("rowheader", "gpt2"), [(role, name) for role, name, _ in heard])
        self.assertEqual([p["live"] for role, _, p in heard if role == "status"], ["polite"])
        self.assertEqual(sum(role == "heading" and p["level"] == 1 for role, _, p in heard), 1)
        self.load("#model=gpt2")
        self.until("article.open")
        page = self.read_aloud()
        self.assertIn("main", {role for role, _, _ in page})
        self.assertNotIn("search", {role for role, _, _ in page}, "the overview is hidden")
        self.assertIn(("rowheader", "median"), [(role, name) for role, name, _ in page])
        named = {"link", "button", "combobox", "searchbox", "heading", "table", "region", "image"}
        for role, name, _ in heard + page:
            if role in named | {"navigation", "rowheader"}:
                self.assertNotEqual(name, "", role)

    def test_on_a_phone_nothing_is_cut_off(self) -> None:
        self.driver.set_window_size(500, 900)  # the least that Chromium's window can have
        self.addCleanup(self.driver.set_window_size, 1280, 900)
        for hash_, selector in (("", "#models"), ("#model=gpt2", "article.open")):
            self.load(hash_)
            self.until(selector)
            self.assertLessEqual(
                self.script("document.documentElement.scrollWidth"), self.script("innerWidth")
            )

    def test_colours_can_be_read(self) -> None:
        """Every chip's text has a contrast of 4.5 to 1 at least, light and dark (WCAG 2, 1.4.3)."""
        for scheme in ("light", "dark"):
            self.driver.execute_cdp_cmd(
                "Emulation.setEmulatedMedia",
                {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
            )
            pairs = self.script(
                "[...document.querySelectorAll('.counts .chip, .weights .kind')].map(chip => "
                "[getComputedStyle(chip).color, getComputedStyle(chip).backgroundColor])"
            )
            self.assertGreaterEqual(len(pairs), 8)
            for ink, paper in pairs:
                if paper != "rgba(0, 0, 0, 0)":
                    self.assertGreaterEqual(_contrast(ink, paper), 4.5, f"{scheme} {ink} {paper}")


def _contrast(one: str, other: str) -> float:
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


if __name__ == "__main__":
    unittest.main()
