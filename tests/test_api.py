"""The interface for other programs: data in, data out, nothing printed."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import pytest
from conftest import CONVERTED, SCRIPT

from torch2lit import api, engine
from torch2lit.deep_stack import RECURSION_LIMIT, with_deep_stack
from torch2lit.destinations import DestinationProblem, destinations
from torch2lit.exit_codes import ending_of
from torch2lit.files.reading import read_file
from torch2lit.options import Options
from torch2lit.parallel import process_files
from torch2lit.program import Conversion, Outcome

pytestmark = pytest.mark.usefixtures("fake_engine")


def make(folder: Path, *names: str, text: str = SCRIPT) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


class TestConvert:
    def test_is_pure_unless_told(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        make(folder, "a.py")

        (result,) = api.convert("a.py")

        assert (result.outcome, result.after) == (Outcome.CONVERTED, CONVERTED)
        assert (folder / "a.py").read_text() == SCRIPT
        assert capsys.readouterr() == ("", "")

    def test_writes_when_told(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        make(folder, "a.py", "b/c.py")

        results = api.convert([Path("b"), "a.py"], write=True)

        assert [result.path for result in results] == ["a.py", "b/c.py"]
        assert (folder / "b" / "c.py").read_text() == CONVERTED
        assert capsys.readouterr() == ("", "")

    def test_second_time_changes_nothing(self, folder: Path) -> None:
        make(folder, "a.py")
        api.convert("a.py", write=True)

        (again,) = api.convert("a.py", write=True)

        assert again.outcome is Outcome.UNCHANGED
        assert (folder / "a.py").read_text() == CONVERTED

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"paths": "missing.py"}, FileNotFoundError),
            ({"paths": ".", "excludes": api.Excludes(exclude="(")}, ValueError),
            ({"paths": ".", "write": True, "output": "x.py"}, DestinationProblem),
        ],
    )
    def test_wrong_arguments_are_told(self, folder: Path, arguments: dict[str, object], error: type[Exception]) -> None:
        make(folder, "a.py", "b.py")

        with pytest.raises(error):
            api.convert(**arguments)  # type: ignore[arg-type]

        assert not (folder / "x.py").exists()

    def test_file_removed_during_the_run_fails_alone(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(folder, "a.py", "b.py")
        refuses = "a.py"
        monkeypatch.setattr(
            "torch2lit.run.read_file", lambda path: _refuse() if path.name == refuses else read_file(path)
        )

        outcomes = [result.outcome for result in api.convert(".", jobs=1)]

        assert outcomes == [Outcome.FAILED, Outcome.CONVERTED]


def _refuse() -> bytes:
    raise FileNotFoundError(2, "No such file or directory")


class TestConvertSource:
    def test_text(self) -> None:
        assert api.convert_source(SCRIPT).after == CONVERTED

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("def f(:", "1:7: invalid syntax"),
            ("# RAISE", "internal error, KeyError: 'boom'"),
            ("# RECURSE", "internal error, RecursionError"),
            ("x = '", "1:5: unterminated string literal"),
        ],
    )
    def test_failure_gives_the_text_back(self, text: str, error: str) -> None:
        result = api.convert_source(text, "x.py")

        assert result.outcome is Outcome.FAILED
        assert error in result.error
        assert result.before == result.after == text

    @pytest.mark.parametrize("error", [MemoryError(), SyntaxError("bad\nvery"), RuntimeError("a\nb\n  c")])
    def test_any_error_of_the_engine_is_one_line(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def fail(*_: object) -> Conversion:
            raise error

        monkeypatch.setattr(engine, "convert_text", fail)
        result = api.convert_source(SCRIPT)

        assert result.outcome is Outcome.FAILED
        assert result.error and "\n" not in result.error


def test_internal_error_names_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "convert_text", lambda *_: Options(devices="none"))

    assert "(torch2lit/lightning_values.py:" in api.convert_source(SCRIPT).error


class TestProcesses:
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_results_are_in_the_order_of_the_files(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        if method not in multiprocessing.get_all_start_methods():
            pytest.skip(f"no {method} here")
        monkeypatch.undo()
        paths = [folder / f"{number}.py" for number in range(5)]
        for number, path in enumerate(paths):
            path.write_text("print(1)\n" if number % 2 else "x = '\0' # torch backward step")

        results = process_files(paths, [Options()] * len(paths), 2, multiprocessing.get_context(method))

        assert [Path(one.conversion.path) for one in results] == paths
        assert [one.conversion.outcome.value for one in results] == [
            "failed",
            "unchanged",
            "failed",
            "unchanged",
            "failed",
        ]

    def test_no_files(self) -> None:
        assert process_files([], [], 4) == []


class TestDeepStack:
    def test_holds_what_the_limit_allows(self) -> None:
        def depth(left: int) -> int:
            return 0 if left == 0 else 1 + max([left - 1], key=lambda _: 0) - (left - 1) + depth(left - 1)

        usual = sys.getrecursionlimit()

        assert with_deep_stack(lambda: depth(RECURSION_LIMIT - 100)) == RECURSION_LIMIT - 100
        assert sys.getrecursionlimit() == usual

    @pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), SystemExit(3)])
    def test_raises_what_is_raised(self, error: BaseException) -> None:
        def fail() -> None:
            raise error

        with pytest.raises(type(error)):
            with_deep_stack(fail)


class TestDestinations:
    def test_without_output_each_file_stays(self) -> None:
        assert destinations([Path("a.py")], [Path()], None) == {Path("a.py"): Path("a.py")}

    def test_below_a_named_folder_elsewhere(self, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        file = elsewhere / "deep" / "a.py"

        assert destinations([file], [elsewhere], "out/") == {file: Path("out/deep/a.py")}
        assert destinations([file], [file], "out/") == {file: Path("out/a.py")}

    @pytest.mark.parametrize("output", ["out.py", "out/"])
    def test_collisions_are_refused(self, folder: Path, output: str) -> None:
        files = [Path("/one/a.py"), Path("/two/a.py")]

        with pytest.raises(DestinationProblem):
            destinations(files, files, output)


@pytest.mark.parametrize(
    ("outcomes", "check", "code"),
    [
        ([], True, 0),
        (["unchanged"], True, 0),
        (["refused"], True, 0),
        (["converted"], False, 0),
        (["converted"], True, 1),
        (["converted", "failed"], True, 123),
        (["failed"], False, 123),
    ],
)
def test_exit_code(outcomes: list[str], check: bool, code: int) -> None:
    assert ending_of([Conversion("a", Outcome(outcome)) for outcome in outcomes], check=check).code == code
