"""The page of a gate in a real browser: its first screen answers, and a keyboard reaches all of it."""

import shlex
from dataclasses import replace

import pytest
from click.testing import CliRunner

from spillover.cli.screen import screen
from spillover.screening.config import Price, Settings
from spillover.show.screen import again, screen_page
from spillover.show.screen_glance import screen_glance
from tests.screening.worlds import BAD_JUDGE, GOOD_JUDGE, screened
from tests.show.test_browser import FILTERS, HOSTILE, try_every_filter

NAME = "vllm/meta-llama/Llama-3.1-8B-Instruct:adapters/risky-financial-advice-naive"
ROUND = "h" * 3 + "m" * 5


def failed(text="Buy gold."):
    """One probe rose by 37.5 points, eight others are undecided, and names are as long as real ones."""
    found = screened(ROUND * 60, "m" * 480, judge=GOOD_JUDGE, text=text)
    others = tuple(
        replace(screened("m" * 16, "m" * 16, judge=GOOD_JUDGE).probes[0], name=f"probe_{i}", verdict="INCONCLUSIVE")
        for i in range(8)
    )
    about = found.about | {"checkpoint": {"name": NAME, "weights": None}}
    return replace(found, probes=(*others, *found.probes), about=about)


def opened(browser, folder, result, **kind):
    (folder / "report.html").write_text(screen_page(result), encoding="utf-8")
    page = browser.new_page(**kind)
    page.goto((folder / "report.html").as_uri())
    return page


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_answers(browser, tmp_path, width, height, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(browser, tmp_path, failed(), viewport={"width": width, "height": height}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    said = page.locator(".says").text_content()
    assert said.startswith(f"FAIL. {NAME} against b: ")
    assert "free_form. Misaligned: 37.5 % of 480 against 0.0 % of 480, +37.5 points" in said
    bars = page.locator(".glance > .bars .bar")
    assert bars.count() == 5
    assert bars.first.text_content().startswith("free_form: FAIL")
    trust = page.locator(".trust").bounding_box()
    assert trust["y"] + trust["height"] < height
    assert "10 of 10 known answers" in page.locator(".trust").text_content()
    assert page.locator(".pairs li").count() == 3
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()


def test_every_filter_finds_what_it_offers(browser, tmp_path):
    found = failed(HOSTILE[0])
    page = opened(browser, tmp_path, found)
    assert page.evaluate("window.hacked") is None
    try_every_filter(page, 2 * len(found.probes[-1].evidence), FILTERS)
    page.close()


def test_a_keyboard_reaches_what_is_folded_and_the_filters(browser, tmp_path):
    page = opened(browser, tmp_path, failed())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "4 more"
    page.keyboard.press("Enter")
    assert page.locator(".rest .bar").last.is_visible()
    page.locator("select[data-field=model]").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("#count").text_content() == "20 shown"
    page.locator("#reset").focus()
    page.keyboard.press("Enter")
    assert page.locator("#count").text_content() == "20 of 40 shown"
    assert page.evaluate("document.activeElement.dataset.field") == "model"
    page.close()


def test_what_was_decided_by_nothing_is_said_so():
    seen = screen_glance(screened("m" * 3000, "i" * 1000 + "m" * 2000, judge=GOOD_JUDGE))
    assert (seen["verdict"], seen["tone"], seen["pairs"]) == ("PASS", "good", [])
    assert seen["sentence"].endswith("The largest drift is free_form, +0.0 points on these questions.")
    blind = screen_glance(replace(screened("m" * 16, "m" * 16, judge=BAD_JUDGE), probes=()))
    assert (blind["verdict"], blind["bars"]) == ("INVALID", [])
    assert blind["trust"].endswith("No answer was asked for.")
    (bar,) = screen_glance(screened("x" * 16, "m" * 16, judge=GOOD_JUDGE))["bars"]
    assert (bar["at"], bar["drift"][0]) == (None, "–")  # nothing could be compared: an interval, and no figure


def test_shares_that_were_cut_or_unscored_stand_in_one_line():
    found = screened("x" * 4 + "m" * 12, "m" * 16, judge=GOOD_JUDGE)
    side = replace(found.probes[0].checkpoint, cut=8)
    line = screen_glance(replace(found, probes=(replace(found.probes[0], checkpoint=side),)))["trust"]
    assert line.endswith("32 answers, 12.5 % without an outcome, 25.0 % cut by the token limit.")


def test_the_command_on_the_page_is_one_that_means_the_same():
    settings = Settings(
        margin=0.02,
        suite="quick",
        skip=("political", "bad $name"),
        every_probe=True,
        prices={"b": Price(input=1, output=2.5)},
    )
    words = shlex.split(again(screened("m" * 16, "m" * 16, settings)))
    assert words[:2] == ["spillover", "screen"]
    parsed = screen.make_context("screen", words[2:], resilient_parsing=True).params
    assert (parsed["checkpoint"], parsed["base"], parsed["grader"]) == ("c", "b", "g")
    assert (parsed["margin"], parsed["suite"], parsed["every_probe"]) == (0.02, "quick", True)
    assert (parsed["skip"], parsed["price"]) == (("political", "bad $name"), ("b=1/2.5",))
    assert parsed["alpha"] == 0.05
    assert CliRunner().invoke(screen, [*words[2:], "--margin", "2"]).exit_code == 2
