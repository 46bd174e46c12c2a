"""Which files a run is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from torch2lit.files.discovery import ExcludeProblem, Excludes, discover


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def found(*paths: str, excludes: Excludes | None = None) -> list[str]:
    return [file.as_posix() for file in discover(map(Path, paths), excludes or Excludes()).files]


def test_folders_are_searched_in_a_fixed_order(folder: Path) -> None:
    make(folder, "b.py", "a/z.py", "a.py", "a/b/c.ipynb", "Z.py", "notes.txt", "a/data.csv", "c.pyi")

    assert found(".") == ["Z.py", "a/b/c.ipynb", "a/z.py", "a.py", "b.py"]


@pytest.mark.parametrize(
    "name",
    [
        ".git/x.py",
        ".hg/x.py",
        "venv/x.py",
        ".venv/lib/x.py",
        "lib/site-packages/x.py",
        "node_modules/x.py",
        "a/__pycache__/x.py",
        "build/x.py",
        "a/dist/x.py",
        ".tox/x.py",
        ".mypy_cache/x.py",
        ".ipynb_checkpoints/x.ipynb",
    ],
)
def test_usual_excludes(folder: Path, name: str) -> None:
    make(folder, name, "kept.py")

    assert found(".") == ["kept.py"]
    assert found(name) == [name]


@pytest.mark.parametrize("name", ["builder/x.py", "my_build.py", "dist.py", "a/venvs/x.py", "distance/x.py"])
def test_usual_excludes_mean_whole_folder_names(folder: Path, name: str) -> None:
    make(folder, name)

    assert found(".") == [name]


def test_named_folder_is_searched_even_if_its_name_is_excluded(folder: Path) -> None:
    make(folder, "build/x.py", "build/build/y.py")

    assert found("build") == ["build/x.py"]


@pytest.mark.parametrize(
    ("excludes", "expected"),
    [
        (Excludes(exclude="/old/"), ["build/a.py", "legacy.py", "new/a.py"]),
        (Excludes(exclude=""), ["build/a.py", "legacy.py", "new/a.py", "old/a.py"]),
        (Excludes(extend="/old/"), ["legacy.py", "new/a.py"]),
        (Excludes(extend=r"legacy\.py$"), ["new/a.py", "old/a.py"]),
        (Excludes(force="a.py"), ["legacy.py"]),
    ],
)
def test_excludes(folder: Path, excludes: Excludes, expected: list[str]) -> None:
    make(folder, "old/a.py", "new/a.py", "build/a.py", "legacy.py")

    assert found(".", excludes=excludes) == expected


@pytest.mark.parametrize(
    ("excludes", "taken"),
    [
        (Excludes(exclude="a.py"), True),
        (Excludes(extend="/old/"), True),
        (Excludes(force="/new/"), True),
        (Excludes(force="/old/"), False),
    ],
)
def test_only_force_exclude_holds_for_named_files(folder: Path, excludes: Excludes, taken: bool) -> None:
    make(folder, "old/a.py")

    assert (found("old/a.py", excludes=excludes) == ["old/a.py"]) is taken


def test_named_file_of_any_suffix_is_taken(folder: Path) -> None:
    make(folder, "train", "train.py.txt")

    assert found("train", "train.py.txt") == ["train", "train.py.txt"]


def test_a_file_reached_twice_counts_once(folder: Path) -> None:
    make(folder, "a/x.py")
    (folder / "link.py").symlink_to("a/x.py")

    assert found("a/x.py", "a", ".", "a/x.py") == ["a/x.py"]


def test_linked_folders_are_not_followed(folder: Path) -> None:
    make(folder, "a/x.py")
    (folder / "a" / "loop").symlink_to(folder / "a")
    (folder / "dangling.py").symlink_to("nowhere.py")

    assert found(".") == ["a/x.py"]


@pytest.mark.parametrize("paths", [["missing.py"], [".", "missing"]])
def test_missing_path(folder: Path, paths: list[str]) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        found(*paths)


def test_wrong_expression(folder: Path) -> None:
    with pytest.raises(ExcludeProblem, match="not a regular expression"):
        found(".", excludes=Excludes(extend="["))


def test_folder_that_cannot_be_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder, "a/x.py", "b.py")
    import os

    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = discover([Path()])

    assert result.files == [Path("b.py")]
    assert result.unreadable == [(Path("a"), "Permission denied")]


class TestGitignore:
    def test_is_honoured(self, folder: Path) -> None:
        make(folder, "out/x.py", "a/out/x.py", "gen_x.py", "kept.py")
        (folder / ".gitignore").write_text("# made\nout/\ngen_*.py\n")

        assert found(".") == ["kept.py"]

    def test_anchored_rules_hold_for_their_folder(self, folder: Path) -> None:
        make(folder, "out/x.py", "a/out/x.py")
        (folder / ".gitignore").write_text("/out\n")

        assert found(".") == ["a/out/x.py"]

    def test_nested_files_go_before_outer_ones(self, folder: Path) -> None:
        make(folder, "x.py", "a/x.py", "a/y.py", "b/y.py")
        (folder / ".gitignore").write_text("x.py\n")
        (folder / "a" / ".gitignore").write_text("!x.py\ny.py\n")

        assert found(".") == ["a/x.py", "b/y.py"]

    def test_rules_above_a_named_folder_hold_up_to_the_repository(self, folder: Path) -> None:
        make(folder, "repo/.git/HEAD", "repo/src/x.py", "repo/src/deep/y.py", "repo/src/z.py")
        (folder / ".gitignore").write_text("z.py\n")
        (folder / "repo" / ".gitignore").write_text("x.py\n/src/deep/y.py\n")

        assert found("repo/src") == ["repo/src/z.py"]

    def test_rules_above_a_folder_outside_of_a_repository_do_not_hold(self, folder: Path) -> None:
        make(folder, "src/x.py")
        (folder / ".gitignore").write_text("x.py\n")

        assert found("src") == ["src/x.py"]

    def test_named_file_and_named_folder_are_taken(self, folder: Path) -> None:
        make(folder, ".git/HEAD", "out/x.py")
        (folder / ".gitignore").write_text("out/\n")

        assert found("out/x.py") == ["out/x.py"]
        assert found("out") == ["out/x.py"]

    def test_illegal_rule_spoils_nothing(self, folder: Path) -> None:
        make(folder, "x.py", "y.py")
        (folder / ".gitignore").write_text("!\nx.py\n//\n")

        assert found(".") == ["y.py"]
