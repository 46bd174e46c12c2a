"""The command line: exit codes, streams, options."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import CONVERTED, SCRIPT, Invoke

from torch2lit import __version__, cli_options, lightning_values
from torch2lit.cli import main
from torch2lit.report import formats

CLEAN = "print('no training here')\n"
BROKEN = SCRIPT + "def f(:\n"
REFUSED = SCRIPT + "# REFUSE\n"
REVIEW = SCRIPT + "# REVIEW\n"
NOTE = SCRIPT + "# NOTE\n"

EXIT_CODES = [
    # arguments, text of train.py, exit code
    ([], CLEAN, 0),
    ([], SCRIPT, 0),
    ([], REFUSED, 0),
    ([], REVIEW, 0),
    ([], BROKEN, 123),
    (["--check"], CLEAN, 0),
    (["--check"], REFUSED, 0),
    (["--check"], SCRIPT, 1),
    (["--check"], BROKEN, 123),
    (["--diff"], SCRIPT, 0),
    (["--diff"], BROKEN, 123),
    (["--diff", "--check"], SCRIPT, 1),
    (["--fail-on", "review"], SCRIPT, 0),
    (["--fail-on", "review"], NOTE, 0),
    (["--fail-on", "review"], REVIEW, 1),
    (["--fail-on", "review"], REFUSED, 1),
    (["--fail-on", "refused"], REVIEW, 0),
    (["--fail-on", "refused"], REFUSED, 1),
    (["--fail-on", "refused"], BROKEN, 123),
    (["--fail-on", "note"], SCRIPT, 2),
    (["--no-such-option"], SCRIPT, 2),
    (["missing.py"], SCRIPT, 2),
    (["--exclude", "("], SCRIPT, 2),
    (["--select", "T2L999"], SCRIPT, 2),
    (["--config", "missing.toml"], SCRIPT, 2),
    (["-j", "0"], SCRIPT, 2),
    (["--format", "xml"], SCRIPT, 2),
    (["--precision", "17"], SCRIPT, 2),
    (["--accelerator", "quantum"], SCRIPT, 2),
    (["--devices", "many"], SCRIPT, 2),
    (["--num-nodes", "0"], SCRIPT, 2),
    (["--strategy", "dp"], SCRIPT, 2),
    (["--target", "jax"], SCRIPT, 2),
    (["--level", "best"], SCRIPT, 2),
]


@pytest.mark.parametrize(("arguments", "text", "code"), EXIT_CODES)
def test_exit_codes(invoke: Invoke, folder: Path, arguments: list[str], text: str, code: int) -> None:
    (folder / "train.py").write_text(text)

    result = invoke("convert", "train.py", *arguments)

    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("preview", [["--diff"], ["--check"], ["--diff", "--check"], ["--check", "--format", "json"]])
def test_previews_write_nothing(invoke: Invoke, folder: Path, preview: list[str]) -> None:
    (folder / "train.py").write_text(SCRIPT)

    invoke("convert", "train.py", *preview)

    assert [path.name for path in folder.iterdir()] == ["train.py"]
    assert (folder / "train.py").read_text() == SCRIPT


def test_convert_writes_in_place_and_speaks_on_stderr(invoke: Invoke, folder: Path) -> None:
    (folder / "train.py").write_text(REVIEW)

    result = invoke("convert", "train.py")

    assert (folder / "train.py").read_text() == CONVERTED + "# REVIEW\n"
    assert result.stdout == ""
    assert result.stderr == (
        "train.py:5:5: T2L997 fake-review: a review\n"
        "train.py: original kept as train.py.orig\n"
        "1 file converted (1 to review), 0 unchanged, 0 refused, 0 failed.\n"
    )


def test_refused_file_is_left_alone(invoke: Invoke, folder: Path) -> None:
    (folder / "train.py").write_text(REFUSED)

    result = invoke("convert", "train.py")

    assert (folder / "train.py").read_text() == REFUSED
    assert result.stderr == (
        "train.py:2:5: T2L996 fake-refused: a refused\n0 files converted, 0 unchanged, 1 refused, 0 failed.\n"
    )


def test_one_bad_file_does_not_stop_the_others(invoke: Invoke, folder: Path) -> None:
    (folder / "a.py").write_text(BROKEN)
    (folder / "b.py").write_text(SCRIPT + "# RAISE\n")
    (folder / "c.py").write_text(SCRIPT)

    result = invoke("convert", ".")

    assert result.exit_code == 123
    assert (folder / "c.py").read_text() == CONVERTED
    assert "a.py:7:7: error: invalid syntax" in result.stderr
    assert "b.py: error: internal error, KeyError: 'boom'; please report" in result.stderr
    assert "1 file converted, 0 unchanged, 0 refused, 2 failed." in result.stderr


def test_quiet_shows_only_failures(invoke: Invoke, folder: Path) -> None:
    (folder / "a.py").write_text(BROKEN)
    (folder / "b.py").write_text(REVIEW)

    result = invoke("convert", ".", "-q")

    assert result.stderr == "a.py:7:7: error: invalid syntax\n"


def test_verbose_says_why_a_file_is_unchanged_and_shows_the_ledger(invoke: Invoke, folder: Path) -> None:
    (folder / "a.py").write_text(CLEAN)
    (folder / "b.py").write_text(SCRIPT)

    result = invoke("convert", ".", "-v")

    assert "a.py: unchanged (no training loop)\n" in result.stderr
    assert "b.py: converted (fabric)\n" in result.stderr
    assert "5      loss.backward()  replaced  fabric  why [backward]\n" in result.stderr


@pytest.mark.parametrize("selection", [["--ignore", "T2L001"], ["--select", "unparsable-cell"], ["--select", "T2L0"]])
def test_selection_of_registered_findings_is_accepted(invoke: Invoke, folder: Path, selection: list[str]) -> None:
    (folder / "train.py").write_text(REVIEW)

    result = invoke("convert", "train.py", "--check", "--fail-on", "review", *selection)

    assert result.exit_code == 1
    assert ("T2L997" in result.stderr) == (selection[0] == "--ignore")


def test_unknown_finding_names_the_nearest(invoke: Invoke, folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT)

    result = invoke("convert", "train.py", "--ignore", "unparsable-cel")

    assert "did you mean T2L001 unparsable-cell?" in " ".join(result.stderr.split())


class TestStdin:
    def test_converts_to_stdout(self, invoke: Invoke) -> None:
        result = invoke("convert", "-", stdin=SCRIPT.encode())

        assert (result.exit_code, result.stdout) == (0, CONVERTED)
        assert "1 file converted" in result.stderr

    @pytest.mark.parametrize(
        "data",
        [
            BROKEN.encode(),
            (SCRIPT + "# RAISE\n").encode(),
            b"\xef\xbb\xbf" + BROKEN.encode(),
            SCRIPT.replace("\n", "\r\n").encode() + b"\0\r\n",
            SCRIPT.encode() + b"# \xff",
        ],
    )
    def test_failure_echoes_the_input(self, invoke: Invoke, data: bytes) -> None:
        result = invoke("convert", "-", stdin=data)

        assert (result.exit_code, result.stdout_bytes) == (123, data)
        assert "<stdin>" in result.stderr

    @pytest.mark.parametrize(
        "data", [b"", CLEAN.encode(), REFUSED.encode(), SCRIPT.encode() + b"# torch2lit: skip-file"]
    )
    def test_what_is_not_converted_comes_out_as_it_came(self, invoke: Invoke, data: bytes) -> None:
        result = invoke("convert", "-", stdin=data)

        assert (result.exit_code, result.stdout_bytes) == (0, data)

    def test_newlines_and_mark_are_kept(self, invoke: Invoke) -> None:
        data = b"\xef\xbb\xbf" + SCRIPT.replace("\n", "\r\n").encode()

        result = invoke("convert", "-", stdin=data)

        assert result.stdout_bytes == b"\xef\xbb\xbf" + CONVERTED.replace("\n", "\r\n").encode()

    def test_its_name_is_used(self, invoke: Invoke) -> None:
        result = invoke("convert", "-", "--stdin-filename", "src/a.py", "--diff", stdin=SCRIPT.encode())

        assert result.stdout.startswith("--- a/src/a.py\n+++ b/src/a.py\n@@ ")

    @pytest.mark.parametrize(
        "arguments",
        [["-", "train.py"], ["-", "-o", "out.py"], ["-", "--format", "json"], ["-", "--format", "sarif"]],
    )
    def test_mixtures_are_usage_errors(self, invoke: Invoke, folder: Path, arguments: list[str]) -> None:
        (folder / "train.py").write_text(SCRIPT)

        assert invoke("convert", *arguments, stdin=SCRIPT.encode()).exit_code == 2

    def test_a_report_on_stdin_needs_check(self, invoke: Invoke) -> None:
        result = invoke("convert", "-", "--check", "--format", "json", stdin=SCRIPT.encode())

        assert result.exit_code == 1
        assert json.loads(result.stdout)["files"][0]["outcome"] == "converted"


class TestOutput:
    def test_file(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(SCRIPT)

        assert invoke("convert", "train.py", "-o", "new/lit.py").exit_code == 0

        assert (folder / "train.py").read_text() == SCRIPT
        assert (folder / "new" / "lit.py").read_text() == CONVERTED
        assert not list(folder.rglob("*.orig"))

    @pytest.mark.parametrize("output", ["out/", "existing"])
    def test_folder_keeps_relative_paths(self, invoke: Invoke, folder: Path, output: str) -> None:
        (folder / "existing").mkdir()
        (folder / "src").mkdir()
        (folder / "src" / "train.py").write_text(SCRIPT)
        (folder / "src" / "clean.py").write_text(CLEAN)

        assert invoke("convert", "src", "-o", output).exit_code == 0

        assert (folder / output / "src" / "train.py").read_text() == CONVERTED
        assert not (folder / output / "src" / "clean.py").exists()
        assert (folder / "src" / "train.py").read_text() == SCRIPT

    def test_file_outside_of_the_working_directory_keeps_its_name(
        self, invoke: Invoke, folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        (elsewhere / "train.py").write_text(SCRIPT)

        assert invoke("convert", str(elsewhere / "train.py"), "-o", "out/").exit_code == 0

        assert (folder / "out" / "train.py").read_text() == CONVERTED

    def test_second_run_skips_its_own_output(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(SCRIPT)
        invoke("convert", ".", "-o", "out/")

        result = invoke("convert", ".", "-o", "out/", "--format", "json")

        assert [file["path"] for file in json.loads(result.stdout)["files"]] == ["train.py"]
        assert [path.name for path in (folder / "out").iterdir()] == ["train.py"]

    def test_two_files_do_not_go_to_one(self, invoke: Invoke, folder: Path) -> None:
        (folder / "a.py").write_text(SCRIPT)
        (folder / "b.py").write_text(SCRIPT)

        assert invoke("convert", ".", "-o", "one.py").exit_code == 2
        assert not (folder / "one.py").exists()

    def test_another_file_in_the_way_is_kept(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(SCRIPT)
        (folder / "precious.py").write_text("precious\n")

        assert invoke("convert", "train.py", "-o", "precious.py").exit_code == 0
        assert (folder / "precious.py.orig").read_text() == "precious\n"


class TestDeterminism:
    @pytest.mark.parametrize("form", ["json", "github", "sarif", "junit"])
    def test_job_count_does_not_show(self, invoke: Invoke, folder: Path, form: str) -> None:
        for name in ("b", "a", "z/c", "z-c", "Z"):
            path = folder / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(SCRIPT + f"# {name} NOTE\n")
        (folder / "broken.py").write_text(BROKEN)

        one, two = (invoke("convert", ".", "--check", "--diff", "--format", form, "-j", jobs) for jobs in "12")
        named = invoke(
            "convert",
            "z-c.py",
            "broken.py",
            "z",
            "Z.py",
            "b.py",
            "a.py",
            "--check",
            "--diff",
            "--format",
            form,
        )

        assert one.exit_code == two.exit_code == 123
        assert one.stdout_bytes == two.stdout_bytes == named.stdout_bytes

    @pytest.mark.slow
    def test_hash_seed_does_not_show(self, folder: Path) -> None:
        for name in "abc":
            (folder / f"{name}.py").write_text(SCRIPT)

        outputs = {
            subprocess.run(
                [sys.executable, "-m", "torch2lit", "analyze", ".", "--format", "json"],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=False,
            ).stdout
            for seed in ("0", "1", "2")
        }

        (output,) = outputs
        assert [file["path"] for file in json.loads(output)["files"]] == ["a.py", "b.py", "c.py"]

    def test_a_killed_worker_fails_its_file_alone(self, invoke: Invoke, folder: Path) -> None:
        (folder / "a.py").write_text(SCRIPT + "# KILL\n")
        (folder / "b.py").write_text(SCRIPT)
        (folder / "c.py").write_text(SCRIPT)

        result = invoke("convert", ".", "-j", "2", "--format", "json")

        outcomes = {file["path"]: file["outcome"] for file in json.loads(result.stdout)["files"]}
        assert outcomes == {"a.py": "failed", "b.py": "converted", "c.py": "converted"}
        assert result.exit_code == 123


class TestAnalyze:
    def test_shows_nests(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(REVIEW)

        result = invoke("analyze", "train.py")

        assert result.exit_code == 0
        assert result.stdout == (
            "train.py: can be converted as fabric\n"
            "  train.py:5:1: training loop in train\n"
            "    loops      for batch in loader\n"
            "    roles      model model, optimizer optimizer\n"
            "    phases     train (line 5)\n"
            "    mechanism  fabric → LitNet\n"
            "  train.py:5:5: T2L997 fake-review: a review\n"
        )
        assert (folder / "train.py").read_text() == REVIEW

    @pytest.mark.parametrize("text", [CLEAN, SCRIPT + "# torch2lit: skip-file\n"])
    def test_says_nothing_of_other_files(self, invoke: Invoke, folder: Path, text: str) -> None:
        (folder / "train.py").write_text(text)

        assert invoke("analyze", "train.py").stdout == ""
        assert "train.py: unchanged" in invoke("analyze", "-v", "train.py").stdout

    def test_failure(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(BROKEN)

        result = invoke("analyze", "train.py")

        assert (result.exit_code, result.stdout) == (123, "train.py:7:7: error: invalid syntax\n")


class TestExplain:
    @pytest.mark.parametrize("name", ["T2L001", "t2l001", "unparsable-cell"])
    def test_prints_the_rule(self, invoke: Invoke, name: str) -> None:
        result = invoke("explain", name)

        assert result.exit_code == 0
        assert result.stdout.startswith("T2L001 unparsable-cell\nnote: ")
        assert "What to do\n" in result.stdout

    @pytest.mark.parametrize(("name", "hint"), [("T2L01", "did you mean"), ("unparsable", "T2L001"), ("xyz", "")])
    def test_unknown_code(self, invoke: Invoke, name: str, hint: str) -> None:
        result = invoke("explain", name)

        assert result.exit_code == 2
        assert hint in result.stderr


class TestColor:
    @pytest.mark.parametrize(
        ("flags", "environment", "colored"),
        [
            ([], {}, False),
            (["--color"], {}, True),
            (["--color"], {"NO_COLOR": "1"}, True),
            (["--no-color"], {"FORCE_COLOR": "1"}, False),
            ([], {"FORCE_COLOR": "1"}, True),
            ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ],
    )
    def test_flags_go_before_environment(
        self,
        invoke: Invoke,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        flags: list[str],
        environment: dict[str, str],
        colored: bool,
    ) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        (folder / "train.py").write_text(REVIEW)

        result = invoke("convert", "train.py", "--diff", *flags)

        assert ("\033[" in result.stdout) == colored
        assert ("\033[" in result.stderr) == colored


class TestStart:
    @pytest.mark.parametrize(
        "arguments", [["--help"], ["--version"], ["convert", "-h"], ["analyze", "clean.py"], ["convert", "."]]
    )
    def test_nothing_heavy_is_imported(self, folder: Path, arguments: list[str]) -> None:
        (folder / "clean.py").write_text(CLEAN)
        code = (
            "import sys\n"
            "from torch2lit.cli import main\n"
            f"main({arguments!r}, standalone_mode=False)\n"
            "heavy = {'libcst', 'black', 'torch', 'lightning', 'importlib.metadata'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )

        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    def test_the_package_imports_nothing_heavy(self) -> None:
        heavy = "{'libcst', 'black', 'torch', 'click'}"
        code = f"import sys, torch2lit, torch2lit.api; assert not {heavy} & set(sys.modules)"

        subprocess.run([sys.executable, "-c", code], check=True)

    def test_version(self) -> None:
        assert CliRunner().invoke(main, ["--version"]).output == f"torch2lit {__version__}\n"

    @pytest.mark.parametrize("command", ["analyze", "convert", "verify", "explain"])
    def test_every_command_has_help(self, command: str) -> None:
        for flag in ("-h", "--help"):
            assert CliRunner().invoke(main, [command, flag]).exit_code == 0


def test_choices_are_those_of_their_homes() -> None:
    assert cli_options.TARGETS == lightning_values.TARGETS
    assert cli_options.LEVELS == lightning_values.LEVELS
    assert cli_options.CHECKPOINTS == lightning_values.CHECKPOINTS
    assert cli_options.LOGGERS == lightning_values.LOGGERS
    assert lightning_values.DATAMODULES == ("own", "lightning")
    assert cli_options.FORMATS == formats.FORMATS


@pytest.mark.slow
def test_a_terminal_sees_how_far_a_long_run_is(folder: Path) -> None:
    """On stderr alone, nothing with --quiet, and nothing of it is left."""
    for number in range(21):
        (folder / f"train{number}.py").write_text(SCRIPT)
    pty = pytest.importorskip("pty")
    for quiet in ([], ["--quiet"]):
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "torch2lit", "convert", "--check", "--no-color", *quiet, "."]
        environment = {**os.environ, "TERM": "xterm"}
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=slave, env=environment, check=False).stdout
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):
            while part := os.read(master, 65536):
                shown += part
        os.close(master)
        assert (b"21/21" in shown) is not bool(quiet)
        assert b"\033[?25l" not in shown or shown.rindex(b"\033[?25h") > shown.rindex(b"\033[?25l")
        assert b"\033" not in out
