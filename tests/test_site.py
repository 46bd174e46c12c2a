"""The documentation site is built from the code, without a broken link, and can be looked at."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser import CHROMIUM, browser

from torch2lit import catalogue as catalogue
from torch2lit.findings import rules

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs mkdocs: pip install torch2lit[docs]"),
    pytest.mark.xdist_group("site"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=quiet, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_finding_has_a_page_with_what_to_do(site: Path) -> None:
    for rule in rules():
        page = (site / "findings" / f"{rule.slug}.html").read_text(encoding="utf-8")
        assert rule.code in page and "What to do" in page


def test_findings_show_code_before_and_after(site: Path) -> None:
    page = (site / "findings" / "manual-optimization.html").read_text(encoding="utf-8")

    assert "Raw</label>" in page and "Converted</label>" in page and "manual_backward" in page


def test_the_pages_that_people_look_for_are_there(site: Path) -> None:
    for name in ("index", "CI", "examples", "idioms", "api", "COVERAGE", "contributing", "changelog"):
        assert (site / f"{name}.html").is_file(), name
    assert "convert_source" in (site / "api.html").read_text(encoding="utf-8")
    assert "clip_gradients" in (site / "idioms.html").read_text(encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_shows_it(site: Path) -> None:
    with browser() as page:
        page.open(site / "findings" / "manual-optimization.html")

        assert "manual-optimization" in page.evaluate("document.title")
        assert page.evaluate("document.querySelectorAll('.tabbed-labels label').length") == 2
