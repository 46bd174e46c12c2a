"""A large project takes torch2lit step by step: baselines, statistics, shards, settings by path, required versions, skips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import SCRIPT, Invoke

from torch2lit import __version__, config
from torch2lit.api import convert
from torch2lit.findings import Finding
from torch2lit.program import Conversion, Outcome
from torch2lit.report.baseline import Baseline
from torch2lit.run import in_shard

REVIEW = SCRIPT + "# REVIEW\n"
REFUSED = SCRIPT + "# REFUSE\n"
NOTHING = "import torch\n"
SCHEMA = json.loads((Path(config.__file__).parent / "config.schema.json").read_text())


class TestBaseline:
    def test_what_it_lists_is_neither_shown_nor_red(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(REVIEW)
        red = ["convert", ".", "--check", "--fail-on", "review"]
        assert invoke(*red).exit_code == 1

        written = invoke(*red, "--baseline", "known.json", "--write-baseline")
        again = invoke(*red, "--baseline", "known.json")

        assert (written.exit_code, again.exit_code) == (0, 0)
        assert "T2L997" not in again.output
        assert (folder / "train.py").read_text() == REVIEW

    def test_what_is_new_is_red(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(REFUSED)
        invoke("convert", ".", "--check", "--baseline", "known.json", "--write-baseline")

        (folder / "other.py").write_text(SCRIPT)
        new_file = invoke("convert", ".", "--check", "--baseline", "known.json")
        (folder / "other.py").unlink()
        (folder / "train.py").write_text(REVIEW)
        new_finding = invoke("convert", ".", "--check", "--fail-on", "review", "--baseline", "known.json")

        assert (new_file.exit_code, new_finding.exit_code) == (1, 1)
        assert "other.py: would be converted" in new_file.output
        assert "T2L997" in new_finding.output

    def test_lines_that_move_stay_known_and_a_second_one_is_new(self, folder: Path) -> None:
        def found(text: str, *lines: int) -> Conversion:
            told = tuple(Finding(line, 1, "T2L997", "fake", "review", "look", "do") for line in lines)
            return Conversion("train.py", Outcome.REFUSED, text, text, findings=told)

        known = Baseline.of(folder, [found("a\nb\n", 2)])

        [moved] = known.judge([found("a\nc\n  b\nb\n", 3)]).conversions
        [twice] = known.judge([found("a\nc\n  b\nb\n", 3, 4)]).conversions
        [other] = known.judge([found("a\nc\n", 2)]).conversions
        assert [len(one.findings) for one in (moved, twice, other)] == [0, 1, 1]

    def test_entries_without_use_are_told(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(REVIEW)
        invoke("convert", ".", "--check", "--baseline", "known.json", "--write-baseline")
        (folder / "train.py").write_text(NOTHING)

        result = invoke("convert", ".", "--check", "--baseline", "known.json")

        assert result.exit_code == 0
        assert "2 entries occur no more in the baseline" in result.output

    def test_it_is_the_same_from_any_folder(
        self, invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "src").mkdir()
        (folder / "src" / "train.py").write_text(REVIEW)
        invoke("convert", ".", "--check", "--baseline", "known.json", "--write-baseline")

        monkeypatch.chdir(folder / "src")

        assert invoke("convert", "train.py", "--check", "--baseline", "../known.json").exit_code == 0

    def test_the_configuration_can_name_it(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(SCRIPT)
        (folder / "pyproject.toml").write_text('[tool.torch2lit]\nbaseline = "known.json"\n')
        invoke("convert", ".", "--check", "--write-baseline")

        assert invoke("convert", ".", "--check").exit_code == 0
        assert json.loads((folder / "known.json").read_text())["files"] == {"train.py": {"raw": True, "findings": []}}

    def test_a_failed_file_stays_red(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(SCRIPT + "def f(:\n")

        assert invoke("convert", ".", "--check", "--baseline", "known.json", "--write-baseline").exit_code == 123

    @pytest.mark.parametrize(
        ("text", "reason"),
        [(None, "--write-baseline makes one"), ("[]", "not a baseline"), ('{"version": 9}', "version 9")],
    )
    def test_what_is_none_is_a_usage_error(self, invoke: Invoke, folder: Path, text: str | None, reason: str) -> None:
        (folder / "train.py").write_text(SCRIPT)
        if text is not None:
            (folder / "known.json").write_text(text)

        result = invoke("convert", ".", "--check", "--baseline", "known.json")

        assert result.exit_code == 2
        assert reason in result.output

    @pytest.mark.parametrize(
        "arguments", [["--write-baseline"], ["--check", "--write-baseline"], ["--baseline", "k", "--write-baseline"]]
    )
    def test_it_is_not_written_beside_a_conversion_or_nowhere(
        self, invoke: Invoke, folder: Path, arguments: list[str]
    ) -> None:
        (folder / "train.py").write_text(SCRIPT)

        assert invoke("convert", ".", *arguments).exit_code == 2
        assert (folder / "train.py").read_text() == SCRIPT

    @pytest.mark.parametrize("form", ["github", "sarif", "junit", "json"])
    def test_every_format_is_green(self, invoke: Invoke, folder: Path, form: str) -> None:
        (folder / "train.py").write_text(REVIEW)
        invoke("convert", ".", "--check", "--baseline", "known.json", "--write-baseline")

        result = invoke("convert", ".", "--check", "--baseline", "known.json", "--format", form)

        assert result.exit_code == 0
        assert (
            "::error" not in result.stdout
            and "<failure" not in result.stdout
            and '"error"' not in result.stdout.replace('"error": null', "")
        )


class TestStatistics:
    def test_counts_instead_of_findings(self, invoke: Invoke, folder: Path) -> None:
        for name in ("a.py", "b.py"):
            (folder / name).write_text(REVIEW)
        (folder / "c.py").write_text(REFUSED)

        result = invoke("convert", ".", "--check", "--statistics")

        assert result.stdout == (
            "2  converted  fabric\n1  refused\n2  T2L997     review      fake-review (2 files)\n"
            "1  T2L996     refused     fake-refused (1 file)\n"
        )
        assert "a review" not in result.output

    def test_as_json(self, invoke: Invoke, folder: Path) -> None:
        (folder / "a.py").write_text(REVIEW)

        told = json.loads(invoke("analyze", ".", "--statistics", "--format", "json").stdout)["statistics"]

        assert told["files"] == [{"outcome": "converted", "mechanism": "fabric", "count": 1}]
        assert [entry["code"] for entry in told["findings"]] == ["T2L997"]

    def test_not_in_other_formats(self, invoke: Invoke, folder: Path) -> None:
        (folder / "a.py").write_text(REVIEW)

        assert invoke("convert", ".", "--check", "--statistics", "--format", "sarif").exit_code == 2


class TestShards:
    def test_each_file_is_in_one_of_them(self) -> None:
        files = [Path(f"folder/{number}.py") for number in range(200)]

        parts = [in_shard(files, number, 3) for number in (1, 2, 3)]

        assert sorted(file for part in parts for file in part) == sorted(files)
        assert min(map(len, parts)) > 40

    def test_other_files_move_none(self) -> None:
        files = [Path(f"{number}.py") for number in range(50)]

        assert set(in_shard(files[:30], 1, 4)) == set(in_shard(files, 1, 4)) & set(files[:30])

    def test_a_run_reports_its_own(self, invoke: Invoke, folder: Path) -> None:
        for number in range(12):
            (folder / f"{number}.py").write_text(SCRIPT)

        runs = [invoke("convert", ".", "--check", "--format", "json", "--shard", f"{i}/2") for i in (1, 2)]

        paths = [{entry["path"] for entry in json.loads(run.stdout)["files"]} for run in runs]
        assert not paths[0] & paths[1]
        assert paths[0] | paths[1] == {f"{number}.py" for number in range(12)}

    @pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
    def test_what_is_no_shard(self, invoke: Invoke, folder: Path, shard: str) -> None:
        assert invoke("convert", ".", "--check", "--shard", shard).exit_code == 2


class TestRequiredVersion:
    @pytest.mark.parametrize("version", [__version__, __version__.rpartition(".")[0]])
    def test_this_one(self, invoke: Invoke, folder: Path, version: str) -> None:
        assert invoke("convert", ".", "--check", "--required-version", version).exit_code == 0

    @pytest.mark.parametrize("version", ["9", "0.10", f"{__version__}1"])
    def test_another_one(self, invoke: Invoke, folder: Path, version: str) -> None:
        (folder / "pyproject.toml").write_text(f'[tool.torch2lit]\nrequired-version = "{version}"\n')

        result = invoke("convert", ".", "--check")

        assert result.exit_code == 2
        assert f"version {version} is required, this is {__version__}" in result.output


LEGACY_BY_FABRIC = """\
[tool.torch2lit]
devices = 1

[[tool.torch2lit.overrides]]
paths = ["legacy/", "*_old.py"]
target = "fabric"
ignore = ["T2L3"]
"""


class TestOverrides:
    @pytest.mark.parametrize(
        ("path", "target"),
        [("legacy/a.py", "fabric"), ("src/train_old.py", "fabric"), ("src/legacy.py", None), ("train.py", None)],
    )
    def test_they_hold_for_their_paths(self, folder: Path, path: str, target: str | None) -> None:
        (folder / "pyproject.toml").write_text(LEGACY_BY_FABRIC)

        found = config.load_config(folder / "pyproject.toml").at(folder / path)

        assert (found.target, found.devices) == (target, "1")

    def test_a_later_one_goes_before(self, folder: Path) -> None:
        more = '[[tool.torch2lit.overrides]]\npaths = ["legacy/new.py"]\ntarget = "auto"\nignore = ["T2L2"]\n'
        (folder / "pyproject.toml").write_text(LEGACY_BY_FABRIC + more)

        found = config.load_config(folder / "pyproject.toml").at(folder / "legacy" / "new.py")

        assert (found.target, found.ignore) == ("auto", ("T2L3", "T2L2"))

    def test_they_change_the_conversion_of_their_files_alone(self, folder: Path) -> None:
        from click.testing import CliRunner

        from torch2lit.cli import main

        raw = (Path(__file__).parent.parent / "examples" / "digits_mlp.py").read_text()
        (folder / "pyproject.toml").write_text(LEGACY_BY_FABRIC)
        (folder / "legacy").mkdir()
        for name in ("legacy/a.py", "b.py"):
            (folder / name).write_text(raw)

        result = CliRunner().invoke(main, ["convert", ".", "--check", "--format", "json"])

        mechanisms = {entry["path"]: entry["mechanism"] for entry in json.loads(result.stdout)["files"]}
        assert mechanisms == {"legacy/a.py": "fabric", "b.py": "automatic"}

    def test_the_command_line_goes_before_them(self, folder: Path) -> None:
        from torch2lit.cli_options import options_by_path

        (folder / "pyproject.toml").write_text(LEGACY_BY_FABRIC)
        options = options_by_path(config.load_config(folder / "pyproject.toml"), {"target": "trainer"})

        assert callable(options)
        assert options(folder / "legacy" / "a.py").target == "trainer"

    @pytest.mark.parametrize(
        ("table", "reason"),
        [
            ("[tool.torch2lit]\noverrides = 3\n", "write each as"),
            ("[[tool.torch2lit.overrides]]\ntarget = 'fabric'\n", "paths is no list"),
            ("[[tool.torch2lit.overrides]]\npaths = ['#']\n", "'#' is no pattern"),
            ("[[tool.torch2lit.overrides]]\npaths = ['a']\njobs = 3\n", "unknown key 'jobs'"),
            ("[[tool.torch2lit.overrides]]\npaths = ['a']\nprecision = '17'\n", "precision"),
        ],
    )
    def test_what_is_wrong_is_told(self, folder: Path, table: str, reason: str) -> None:
        (folder / "pyproject.toml").write_text(table)

        with pytest.raises(config.ConfigProblem, match=reason):
            config.load_config(folder / "pyproject.toml")


class TestConfigurationSchema:
    def test_it_has_the_keys_that_are_read(self) -> None:
        assert set(SCHEMA["properties"]) == set(config.KEYS)
        assert set(SCHEMA["properties"]["overrides"]["items"]["properties"]) == {"paths", *config.OVERRIDDEN}

    @pytest.mark.parametrize(
        ("table", "is_right"),
        [
            ({"devices": 2, "select": "T2L2", "overrides": [{"paths": ["a"], "target": "fabric"}]}, True),
            ({"devise": 2}, False),
            ({"overrides": [{"target": "fabric"}]}, False),
            ({"jobs": 0}, False),
        ],
    )
    def test_it_says_what_is_right(self, table: dict[str, Any], is_right: bool) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

        assert jsonschema.Draft202012Validator(SCHEMA).is_valid(table) == is_right


RAW = (Path(__file__).parent.parent / "fixtures" / "skip-comment-on-loop" / "raw.py").read_text()


class TestUnusedSkips:
    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            (RAW, []),
            (RAW.replace("# torch2lit: skip", "# nothing") + "# torch2lit: skip-file\n", []),
            ("import torch  # torch2lit: skip\n", [1]),
            ("x = 1\n# torch2lit: skip-file\n", [2]),
            (RAW + "x = 1  # torch2lit: skip\n", [len(RAW.splitlines()) + 1]),
            ("x = '# torch2lit: skip'\n", []),
        ],
    )
    def test_are_told(self, folder: Path, text: str, lines: list[int]) -> None:
        (folder / "train.py").write_text(text)

        [result] = convert(folder)

        assert [found.line for found in result.findings if found.slug == "unused-skip"] == lines
