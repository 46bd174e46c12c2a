"""Every finding is documented, and raised by a golden case."""

from __future__ import annotations

import functools
import re

import pytest
import update_findings_doc
from fixture_cases import case, names, read
from program_cases import expected, program_names

from torch2lit import catalogue as catalogue
from torch2lit.findings import Rule, rules

WITHOUT_A_CASE = {
    "unparsable-cell": "needs a notebook; tests/test_files_notebooks.py raises it",
    "metadata-not-kept": "needs a file with hard links or an owner; tests/test_safety_table.py raises it",
    "unused-skip": "needs a file, not a text; tests/test_adoption.py raises it",
    "took-too-long": "needs much time; tests/test_time_limit.py raises it",
    "plug-in-failed": "needs another package; tests/test_features.py raises it",
    "output-not-valid": "only a fault of torch2lit itself raises it",
}


@functools.cache
def raised() -> set[str]:
    """The names of the findings in the expectations of all golden cases."""
    found = set()
    for name in names():
        if case(name).findings_file.exists():
            found |= set(re.findall(r"^\d+:T2L\d+ ([\w-]+) ", read(case(name).findings_file), re.MULTILINE))
    for name in program_names():
        found |= set(re.findall(r"^\d+:T2L\d+ ([\w-]+) ", expected(name)[1], re.MULTILINE))
    return found


def test_the_page_is_current() -> None:
    assert update_findings_doc.PAGE.read_text(encoding="utf-8") == update_findings_doc.page(), (
        "run `python tests/update_findings_doc.py`"
    )


@pytest.mark.parametrize("slug", [rule.slug for rule in rules()])
def test_a_golden_case_raises_it(slug: str) -> None:
    if slug in WITHOUT_A_CASE:
        assert slug not in raised(), f"a golden case raises {slug}: take it off the list"
    else:
        assert slug in raised(), f"add a folder to fixtures/ whose script raises {slug}"


def test_the_list_without_a_case_holds_only_findings() -> None:
    assert {rule.slug for rule in rules()} >= set(WITHOUT_A_CASE)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.slug)
def test_codes_tell_the_severity_and_texts_are_sentences(rule: Rule) -> None:
    digit = {"refused": "1", "review": "2", "note": "3"}[rule.severity]
    assert rule.code[3] in ("0", digit)
    for text in (rule.why, rule.remedy, rule.text.strip()):
        assert text.endswith("."), f"{rule.code}: {text!r} is no whole sentence"
