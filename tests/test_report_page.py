"""The page for reviewers: what it shows, that nothing of the user's gets out of it, and how it works in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from fixture_cases import case, conversion

pytest.importorskip("jinja2")
pytest.importorskip("pygments")

from browser import CHROMIUM, Page, browser

from torch2lit.cli import main
from torch2lit.program import Conversion, Outcome
from torch2lit.report.html.curves import curves_of
from torch2lit.report.html.data import new_lines, raw_lines, row_of, texts
from torch2lit.report.html.render import render_html
from torch2lit.verify.compare import compare
from torch2lit.verify.events import Backward, Step, Trace
from torch2lit.verify.result import VerifyResult
from torch2lit.verify.run import Run

CONVERTED = "validation-in-function-no-grad"
MANUAL = "accumulation-with-tail"
HOSTILE = '</script><img src=x onerror="window.hurt=1">{{ 7*7 }}<!--'


def details(page: str) -> dict[str, str]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    read: dict[str, str] = json.loads(found.group(1))
    return read


def shown(name: str) -> Conversion:
    return replace(conversion(name), path=f"{name}/train.py")


def test_every_line_of_both_texts_is_there() -> None:
    one = shown(CONVERTED)
    before, after = texts(one)
    text = _text_of(details(render_html([one]))["0"])
    for line in [*before, *after]:
        assert line.strip() in text


def test_twins_point_at_each_other_and_say_the_same() -> None:
    one = shown(CONVERTED)
    before, after = texts(one)
    raw, new = raw_lines(one, before), new_lines(one, after)
    pairs = [(line.number, twin) for line in raw for twin in line.twins]
    assert len(pairs) > len(before) / 2
    assert all(raw_number in new[twin - 1].twins for raw_number, twin in pairs)
    moved = [line for line in new if line.action == "moved"]
    assert moved
    for line in moved:
        assert _plain(line.code) == _plain(before[line.twins[0] - 1])


def test_what_replaces_a_line_is_said() -> None:
    one = shown(CONVERTED)
    told = {line.code.strip(): line.why for line in raw_lines(one, texts(one)[0])}
    assert "automatic optimization" in next(why for code, why in told.items() if code == "loss.backward()")


def test_findings_stand_at_their_line() -> None:
    one = shown(MANUAL)
    lines = raw_lines(one, texts(one)[0])
    assert {f.line for f in one.findings} == {line.number for line in lines if line.findings}


def test_a_row_says_what_stands_in_the_way() -> None:
    assert "manual optimization" in row_of(shown(MANUAL)).obstacle
    assert (
        row_of(Conversion("a.py", Outcome.UNCHANGED, "x", "x", reason="already Lightning")).obstacle
        == "already Lightning"
    )
    assert row_of(Conversion("a.py", Outcome.FAILED, error="1:1: it is no Python")).obstacle == "1:1: it is no Python"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attributes)))


def _hostile() -> Conversion:
    text = f"# {HOSTILE}\nx = '''{HOSTILE}'''\n"
    return Conversion(f"{HOSTILE}.py", Outcome.UNCHANGED, text, text, reason=HOSTILE)


def test_hostile_names_and_code_stay_text() -> None:
    page = render_html([_hostile()])
    for part in (page, details(page)["0"]):
        tags = _Tags()
        tags.feed(part)
        assert "img" not in [tag for tag, _attributes in tags.seen]
        assert not any(name.startswith("on") for _tag, attributes in tags.seen for name in attributes)
    assert page.count("</script>") == 2
    assert "49" not in _text_of(details(page)["0"])


def test_nothing_comes_from_elsewhere() -> None:
    page = render_html([shown(CONVERTED)])
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)


def _verified(parted: bool) -> VerifyResult:
    raw, converted = _trace(0.5), _trace(0.7 if parted else 0.5)
    comparison = compare(raw, converted)
    runs = [Run(trace, 0, "", "", 1.0) for trace in (raw, converted)]
    return VerifyResult("differs" if parted else "identical", comparison, raw=runs[0], converted=runs[1])


def _trace(third: float) -> Trace:
    trace = Trace()
    for number, loss in enumerate([2.0, 1.0, third, 0.25]):
        trace.add(Backward(loss, number, "", number + 1))
        trace.add(Step("SGD#0", (0.1,), str(loss), number + 1))
    return trace


def test_the_step_that_parts_is_marked() -> None:
    one = shown(CONVERTED)
    page = details(render_html([one], {one.path: _verified(parted=True)}))["0"]
    assert "parts at step 3" in page
    assert page.count("<polyline") == 2
    assert "parts at step" not in details(render_html([one], {one.path: _verified(parted=False)}))["0"]


def test_curves_keep_to_their_frame() -> None:
    made = curves_of([4.0, 2.0, float("nan"), 1.0], [4.0, 2.0], 2)
    assert made is not None
    assert made.raw == "0.0,0.0 240.0,146.7 720.0,220.0"
    assert (made.low, made.high, made.mark) == ("1", "4", 240.0)
    assert curves_of([1.0], []) is None


def test_the_command_line_writes_it(tmp_path: Path) -> None:
    script, page = tmp_path / "train.py", tmp_path / "report.html"
    script.write_text(case(CONVERTED).raw, encoding="utf-8")
    done = CliRunner().invoke(main, ["convert", "--check", str(script), "--report", str(page), "-q"])
    assert done.exit_code == 1
    assert "class Lit" in _text_of(details(page.read_text(encoding="utf-8"))["0"])


def test_a_page_that_cannot_be_written_is_told_before_anything_is(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(case(CONVERTED).raw, encoding="utf-8")
    done = CliRunner().invoke(main, ["convert", str(script), "--report", str(tmp_path / "none" / "report.html")])
    assert done.exit_code == 2
    assert script.read_text(encoding="utf-8") == case(CONVERTED).raw


def _text_of(html: str) -> str:
    class Text(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.parts: list[str] = []

        def handle_data(self, data: str) -> None:
            self.parts.append(data)

    reader = Text()
    reader.feed(html)
    return "".join(reader.parts)


def _plain(code: str) -> str:
    return re.sub(r"\s+|self\.(?:hparams\.)?", "", code.partition("  #")[0])


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.mark.slow
@needs_browser
class TestInABrowser:
    def test_open_click_filter_and_keys(self, window: Page, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        page.write_text(render_html([shown(CONVERTED), shown(MANUAL), _hostile()]), encoding="utf-8")
        window.open(page)
        assert window.evaluate("document.getElementById('shown').textContent") == "3 of 3 files"
        for key in "/t2l301":
            window.press(key)
        assert window.evaluate("document.getElementById('filter').value") == "t2l301"
        assert window.evaluate("document.getElementById('shown').textContent") == "1 of 3 files"
        window.press("Enter")
        window.press("Enter")
        assert window.evaluate("!document.getElementById('detail').hidden")
        window.press("j")
        assert "T2L301" in window.evaluate("document.activeElement.textContent")
        window.press("Escape")
        assert window.evaluate("document.getElementById('detail').hidden")
        window.click("tr[data-file='1'] .open")
        assert MANUAL in window.evaluate("document.querySelector('#detail h2').textContent")
        before = window.evaluate("getComputedStyle(document.body).backgroundColor")
        window.press("t")
        assert window.evaluate("getComputedStyle(document.body).backgroundColor") != before
        picture = tmp_path / "page.png"
        window.screenshot(picture)
        assert picture.stat().st_size > 20_000

    def test_a_line_shows_its_twin(self, window: Page, tmp_path: Path) -> None:
        one = shown(CONVERTED)
        page = tmp_path / "one.html"
        page.write_text(render_html([one]), encoding="utf-8")
        window.open(page)
        raw = next(line for line in raw_lines(one, texts(one)[0]) if line.action == "moved" and line.twins)
        window.click(f".pane.raw li[data-line='{raw.number}'] code")
        chosen = window.evaluate("[...document.querySelectorAll('.pane.new li.chosen')].map(l => +l.dataset.line)")
        assert chosen == list(raw.twins)

    def test_hostile_code_does_not_run_and_nothing_is_fetched(self, window: Page, tmp_path: Path) -> None:
        page = tmp_path / "hostile.html"
        page.write_text(render_html([_hostile()]), encoding="utf-8")
        window.requests.clear()
        window.open(page)
        assert window.evaluate("typeof window.hurt") == "undefined"
        assert [url for url in window.requests if not url.startswith("file:")] == []

    def test_five_hundred_files_stay_fluent(self, window: Page, tmp_path: Path) -> None:
        page = tmp_path / "many.html"
        some = [shown(CONVERTED), shown(MANUAL)]
        many = [replace(some[n % 2], path=f"project/part{n // 20}/train_{n}.py") for n in range(500)]
        page.write_text(render_html(many), encoding="utf-8")
        window.open(page)
        nodes = window.evaluate("document.querySelectorAll('*').length")
        assert nodes < 12_000, "code is laid out only when its file is opened"
        window.evaluate(
            "document.getElementById('filter').value = 'part7 '; document.getElementById('filter').dispatchEvent(new Event('input'))"
        )
        assert window.evaluate("document.getElementById('shown').textContent") == "20 of 500 files"
