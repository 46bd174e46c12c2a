"""Reports: pure functions of conversions."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from conftest import CONVERTED, SCRIPT, fake_convert_text, make_unparsable_finding

from torch2lit.findings import Finding
from torch2lit.options import Options
from torch2lit.program import Conversion, Outcome
from torch2lit.report.diff import render_diff, render_diffs
from torch2lit.report.formats import render_for_programs
from torch2lit.report.github import render_github
from torch2lit.report.json_report import render_json, to_dict
from torch2lit.report.junit import render_junit
from torch2lit.report.sarif import render_sarif
from torch2lit.report.selection import select_findings
from torch2lit.report.table import table
from torch2lit.report.text import render_messages, render_summary

CONVERTED_ONE = fake_convert_text(SCRIPT + "# REVIEW\n", "a/b c.py", Options())
REFUSED_ONE = fake_convert_text("# REFUSE", "refused.py", Options())
FAILED_ONE = Conversion("failed.py", Outcome.FAILED, error="3:7: bad <thing> & 100%")
FAILED_WHOLE = Conversion("whole.py", Outcome.FAILED, error="cannot read: gone")
UNCHANGED_ONE = Conversion("unchanged.py", Outcome.UNCHANGED, reason="no training loop")
NOTED = Conversion("n.ipynb", Outcome.UNCHANGED, "x", "x", findings=(make_unparsable_finding(7),))
ALL = [CONVERTED_ONE, FAILED_ONE, NOTED, REFUSED_ONE, UNCHANGED_ONE, FAILED_WHOLE]


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((resources.files("torch2lit.report") / "schema.json").read_text("utf-8"))
    return loaded


class TestJson:
    @pytest.mark.parametrize("diff", [False, True])
    @pytest.mark.parametrize("conversions", [ALL, [], *([one] for one in ALL)])
    def test_follows_the_schema(self, conversions: list[Conversion], diff: bool) -> None:
        jsonschema.Draft202012Validator.check_schema(schema())
        report = json.loads(render_json(conversions, diff=diff))

        jsonschema.validate(report, schema())
        assert [file["path"] for file in report["files"]] == [one.path for one in conversions]

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("version",), 2),
            (("summary", "failed"), -1),
            (("files", 0, "outcome"), "fine"),
            (("files", 0, "mechanism"), "magic"),
            (("files", 0, "findings", 0, "severity"), "fatal"),
            (("files", 0, "findings", 0, "code"), "nocode"),
            (("files", 0, "ledger", 0, "fate"), "lost"),
            (("files", 0, "surprise"), 1),
        ],
    )
    def test_schema_is_strict(self, path: tuple[str | int, ...], value: object) -> None:
        report = to_dict(ALL)
        place: Any = report
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(report, schema())

    def test_failure_has_its_place(self) -> None:
        report = to_dict([FAILED_ONE, FAILED_WHOLE])

        assert report["files"][0]["error"] == {"line": 3, "column": 7, "message": "bad <thing> & 100%"}
        assert report["files"][1]["error"] == {"line": 0, "column": 0, "message": "cannot read: gone"}
        assert report["summary"] == {"converted": 0, "unchanged": 0, "refused": 0, "failed": 2}


class TestText:
    @pytest.mark.parametrize(
        ("conversions", "written", "line"),
        [
            ([], True, "No Python files found. Nothing to do.\n"),
            ([UNCHANGED_ONE], False, "0 files would be converted, 1 unchanged, 0 refused, 0 failed.\n"),
            ([CONVERTED_ONE], True, "1 file converted (1 to review), 0 unchanged, 0 refused, 0 failed.\n"),
            (ALL, False, "1 file would be converted (1 to review), 2 unchanged, 1 refused, 2 failed.\n"),
        ],
    )
    def test_summary(self, conversions: list[Conversion], written: bool, line: str) -> None:
        assert render_summary(conversions, written=written) == line

    def test_messages(self) -> None:
        assert render_messages(ALL) == (
            "a/b c.py:5:5: T2L997 fake-review: a review\n"
            "failed.py:3:7: error: bad <thing> & 100%\n"
            "n.ipynb:7:1: T2L001 unparsable-cell: cell 1 is not Python\n"
            "refused.py:2:5: T2L996 fake-refused: a refused\n"
            "whole.py: error: cannot read: gone\n"
        )

    def test_quiet(self) -> None:
        assert render_messages(ALL, quiet=True) == (
            "failed.py:3:7: error: bad <thing> & 100%\nwhole.py: error: cannot read: gone\n"
        )

    @pytest.mark.parametrize("color", [False, True])
    def test_color_changes_nothing_else(self, color: bool) -> None:
        import re

        text = render_messages(ALL, verbose=True, color=color)

        assert ("\033" in text) is color
        assert re.sub(r"\033\[[\d;]*m", "", text) == render_messages(ALL, verbose=True)

    def test_finding_of_a_whole_file_has_no_line(self) -> None:
        whole = Conversion("a.py", Outcome.REFUSED, findings=(Finding(0, 1, "T2L9", "x", "refused", "m", "r"),))

        assert render_messages([whole]) == "a.py: T2L9 x: m\n"

    def test_table_is_aligned_and_cuts_long_cells(self) -> None:
        rows = [("1", "x" * 80, "a\n  b"), ("22", "y", "z" * 90)]

        lines = table(("n", "statement", "why"), rows).splitlines()

        assert lines[0].index("why") == lines[1].index("a b") == lines[2].index("zzz")
        assert lines[1].count("x") == 59 and "…" in lines[1]
        assert lines[2].endswith("z" * 90)


class TestSelection:
    @pytest.mark.parametrize(
        ("select", "ignore", "left"),
        [
            ([], [], ["T2L001", "T2L996", "T2L997"]),
            (["T2L9"], [], ["T2L996", "T2L997"]),
            (["t2l997"], [], ["T2L997"]),
            (["unparsable-cell"], [], ["T2L001"]),
            ([], ["T2L9"], ["T2L001"]),
            (["T2L9"], ["T2L996"], ["T2L997"]),
            (["unparsable"], [], []),
        ],
    )
    def test_chooses_findings(self, select: list[str], ignore: list[str], left: list[str]) -> None:
        chosen = select_findings(ALL, lambda path: (select, ignore))

        assert sorted(finding.code for one in chosen for finding in one.findings) == left
        assert [one.outcome for one in chosen] == [one.outcome for one in ALL]


class TestDiff:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (SCRIPT, CONVERTED),
            ("a\nb", "a\nc"),
            ("a\nb", "a\nb\n"),
            ("a\nb\n", "a\nb"),
            ("a\r\nb\r\n", "a\r\nc\r\n"),
            ("a\rb\r", "a\rc\r"),
            ("a\n", "b\nc\n" * 20),
            ("x\n" * 30 + "a\n" + "x\n" * 30 + "b", "x\n" * 30 + "c\n" + "x\n" * 30 + "d\n"),
            ("a\x0cb\u2028c\nd\n", "a\x0cb\u2028c\ne\n"),
            ("a\n", "a\n\n"),
            ("é\n", "ü\n"),
            ("", "a\n"),
            ("a\n", ""),
        ],
    )
    @pytest.mark.parametrize("name", ["train.py", "a folder/größe.py", 'quo"te.py', "tab\there.py"])
    def test_git_takes_it(self, folder: Path, before: str, after: str, name: str) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(before.encode())
        diff = render_diff(Conversion(name, Outcome.CONVERTED, before, after))

        answer = subprocess.run(["git", "apply", "-"], input=diff.encode(), capture_output=True, check=False)

        assert answer.returncode == 0, answer.stderr.decode() + diff
        assert path.read_bytes() == after.encode()

    @pytest.mark.parametrize("one", [UNCHANGED_ONE, REFUSED_ONE, FAILED_ONE, NOTED])
    def test_is_empty_when_nothing_changes(self, one: Conversion) -> None:
        assert render_diff(one) == ""

    def test_has_no_times_and_keeps_the_order(self) -> None:
        other = Conversion("/abs/z.py", Outcome.CONVERTED, "a\n", "b\n")

        assert render_diffs([other, Conversion("a.py", Outcome.CONVERTED, "a\n", "b")]) == (
            "--- a/abs/z.py\n+++ b/abs/z.py\n@@ -1 +1 @@\n-a\n+b\n"
            "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n"
        )

    def test_color_leaves_the_text(self) -> None:
        assert render_diff(Conversion("a", Outcome.CONVERTED, "a\r\n", "b\r\n"), color=True).endswith(
            "\033[31m-a\033[0m\r\n\033[32m+b\033[0m\r\n"
        )


class TestGithub:
    def test_one_command_per_message(self) -> None:
        assert render_github(ALL).splitlines() == [
            "::warning file=a/b c.py,line=5,endLine=5,col=5,title=T2L997 fake-review::a review%0Ado it",
            "::notice file=a/b c.py,title=torch2lit::would be converted (fabric)",
            "::error file=failed.py,line=3,endLine=3,col=7,title=torch2lit::bad <thing> & 100%25",
            "::notice file=n.ipynb,line=7,endLine=7,col=1,title=T2L001 unparsable-cell::"
            "cell 1 is not Python%0A"
            "If the cell belongs to the training, make it valid Python and convert the notebook again.",
            "torch2lit: n.ipynb: unchanged (nothing to convert)",
            "::error file=refused.py,line=2,endLine=2,col=5,title=T2L996 fake-refused::a refused%0Ado it",
            "torch2lit: refused.py: refused",
            "torch2lit: unchanged.py: unchanged (no training loop)",
            "::error file=whole.py,title=torch2lit::cannot read: gone",
        ]

    def test_properties_are_escaped(self) -> None:
        finding = Finding(1, 1, "T2L9", "x", "note", "a,b:c", "", end_line=3)

        assert render_github([Conversion("a,b:c%.py", Outcome.CONVERTED, findings=(finding,))]) == (
            "::notice file=a%2Cb%3Ac%25.py,line=1,endLine=3,title=T2L9 x::a,b:c\n"
            "::notice file=a%2Cb%3Ac%25.py,title=torch2lit::would be converted\n"
        )


class TestSarif:
    def test_results_and_rules_belong_together(self) -> None:
        report = json.loads(render_sarif(ALL))
        (run,) = report["runs"]

        assert report["version"] == "2.1.0"
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == ["T2L001", "T2L996", "T2L997"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert [result["level"] for result in run["results"]] == ["warning", "note", "error"]
        assert run["results"][0]["locations"][0]["physicalLocation"] == {
            "artifactLocation": {"uri": "a/b%20c.py"},
            "region": {"startLine": 5, "startColumn": 5},
        }
        assert "markdown" in rules[0]["help"]

    def test_failures_are_notifications(self) -> None:
        (invocation,) = json.loads(render_sarif(ALL))["runs"][0]["invocations"]

        assert invocation["executionSuccessful"] is False
        assert len(invocation["toolExecutionNotifications"]) == 2
        assert json.loads(render_sarif([REFUSED_ONE]))["runs"][0]["invocations"][0]["executionSuccessful"] is True

    def test_fingerprints_do_not_move_with_the_line(self) -> None:
        moved = fake_convert_text("# above\n" + SCRIPT + "# REVIEW\n", CONVERTED_ONE.path, Options())
        other = fake_convert_text(SCRIPT + "# REVIEW\n", "other.py", Options())

        first, second, third = (
            json.loads(render_sarif([one]))["runs"][0]["results"][0]["partialFingerprints"]
            for one in (CONVERTED_ONE, moved, other)
        )
        assert first == second != third


class TestJunit:
    def test_counts_and_cases(self) -> None:
        suite = ElementTree.fromstring(render_junit(ALL))[0]

        assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": "6",
            "failures": "1",
            "errors": "2",
            "skipped": "2",
        }
        assert [[child.tag for child in case] for case in suite] == [
            ["system-out"],
            ["error"],
            ["skipped", "system-out"],
            ["failure"],
            ["skipped"],
            ["error"],
        ]

    def test_control_characters_do_not_break_it(self) -> None:
        bad = Conversion('<"a\x00&.py', Outcome.FAILED, error="1:1: \x1b[31m]]>\ufffe")

        assert ElementTree.fromstring(render_junit([bad]))[0][0][0].get("message") == "\ufffd[31m]]>\ufffd"


@pytest.mark.parametrize("form", ["text", "xml", ""])
def test_unknown_format(form: str) -> None:
    with pytest.raises(ValueError, match="no renderer"):
        render_for_programs(form, [])
