"""What runs torch2lit for people: the pre-commit hooks, the GitHub action's script, completion in a shell; each with the real package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import git

from torch2lit.cli import main

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "digits_mlp.py"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packages")]


@pytest.fixture(scope="session")
def packages() -> None:
    """Skip where pip reaches no index."""
    command = [sys.executable, "-m", "pip", "index", "versions", "click"]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("pip reaches no index of packages")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    shutil.copy(EXAMPLE, folder / "train.py")
    (folder / "util.py").write_text("def add(a, b):\n    return a + b\n")
    git(folder, "add", ".")
    return folder


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the package as it is here, with one commit."""
    folder = tmp_path_factory.mktemp("released") / "torch2lit"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(("fixtures/", "tests/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "as it is")
    return folder


@pytest.mark.usefixtures("packages")
class TestPreCommit:
    def run(self, hook: str, repository: Path, released: Path) -> subprocess.CompletedProcess[str]:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=released, capture_output=True, text=True, check=True)
        configuration = f"repos:\n- repo: {released}\n  rev: {head.stdout.strip()}\n  hooks: [{{id: {hook}}}]\n"
        (repository / ".pre-commit-config.yaml").write_text(configuration)
        git(repository, "add", ".")
        command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
        home = {**os.environ, "PRE_COMMIT_HOME": str(released.parent / "hooks")}
        return subprocess.run(command, cwd=repository, capture_output=True, text=True, env=home, check=False)

    def test_the_check_fails_and_changes_nothing(self, repository: Path, released: Path) -> None:
        done = self.run("torch2lit-check", repository, released)

        assert done.returncode == 1, done.stdout + done.stderr
        assert "train.py: would be converted (automatic)" in done.stdout
        assert (repository / "train.py").read_bytes() == EXAMPLE.read_bytes()

    def test_the_converter_converts_once(self, repository: Path, released: Path) -> None:
        first = self.run("torch2lit", repository, released)
        git(repository, "add", ".")
        second = self.run("torch2lit", repository, released)

        assert (first.returncode, second.returncode) == (1, 0), second.stdout
        assert "LightningModule" in (repository / "train.py").read_text()


_READY = """#!/usr/bin/env bash
test "$1 $2" = "-m venv" && mkdir -p "$3/bin" && ln -s {folder}/torch2lit "$3/bin/torch2lit"
printf '#!/bin/sh\\ntest "$1" = install' >"$3/bin/pip" && chmod +x "$3/bin/pip"
"""
"""A Python that makes environments with the torch2lit of the tests, in which there is nothing to install."""


@pytest.mark.usefixtures("packages")
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
class TestAction:
    def run(self, repository: Path, released: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
        given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
        files = {"GITHUB_STEP_SUMMARY": str(repository / "summary.md"), "GITHUB_OUTPUT": str(repository / "output")}
        return subprocess.run(
            [released / ".ci" / "action"],
            cwd=repository,
            env={**os.environ, "INPUT_PYTHON": sys.executable, **files, **given},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_annotations_a_page_and_a_summary(self, repository: Path, released: Path) -> None:
        done = self.run(repository, released, paths="train.py util.py", report="torch2lit.html")

        assert done.returncode == 1, done.stderr
        assert "::error file=train.py" in done.stdout
        assert (repository / "torch2lit.html").stat().st_size > 10_000
        assert "1  converted  automatic" in (repository / "summary.md").read_text()
        assert (repository / "output").read_text() == "exit-code=1\n"
        assert (repository / "train.py").read_bytes() == EXAMPLE.read_bytes()

    def test_without_check_it_only_tells(self, repository: Path, released: Path, tmp_path: Path) -> None:
        python = tmp_path / "python"  # the other test installs the package; here an environment is made that has it
        python.write_text(_READY.format(folder=Path(sys.executable).parent))
        python.chmod(0o755)
        done = self.run(repository, released, check="false", report="", python=str(python))

        assert done.returncode == 0, done.stderr
        assert "would be converted" in done.stdout
        assert (repository / "train.py").read_bytes() == EXAMPLE.read_bytes()


def test_the_action_names_its_script_and_every_input() -> None:
    import yaml

    action = yaml.safe_load((ROOT / "action.yml").read_text())
    given = {name for step in action["runs"]["steps"] for name in step.get("env", ())}

    assert given <= {f"INPUT_{name.upper()}" for name in action["inputs"]}
    assert "$GITHUB_ACTION_PATH/.ci/action" in action["runs"]["steps"][0]["run"]
    assert all(name in (ROOT / ".ci" / "action").read_text() for name in given)


@pytest.mark.parametrize(
    "file", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda file: file.stem
)
def test_issue_templates_ask_for_what_helps(file: Path) -> None:
    import yaml

    form = yaml.safe_load(file.read_text())

    if file.stem != "config":
        labels = " ".join(part["attributes"]["label"] for part in form["body"])
        assert "script" in labels.lower() and "torch2lit" in labels


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_job_for_gitlab_does_what_it_says(repository: Path) -> None:
    """The job of docs/CI.md, but for what installs torch2lit: red, with the page and the report that it names as artefacts."""
    import xml.etree.ElementTree as xml

    import yaml

    told = (ROOT / "docs" / "CI.md").read_text().partition("## GitLab")[2]
    job = yaml.safe_load(told.partition("```yaml")[2].partition("```")[0])["torch2lit"]
    install, *commands = job["script"]
    assert install.startswith("pip install ") and "torch2lit[report]" in install
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(commands)],
        cwd=repository,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    assert job["artifacts"]["when"] == "always"
    for name in job["artifacts"]["paths"]:
        assert (repository / name).stat().st_size > 10_000
    report = xml.parse(repository / job["artifacts"]["reports"]["junit"]).getroot()
    names = {case.get("name"): [part.tag for part in case] for case in report.iter("testcase")}
    assert any("failure" in parts for name, parts in names.items() if name and "train.py" in name), names
    assert (repository / "train.py").read_bytes() == EXAMPLE.read_bytes()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_line_for_bash_completes() -> None:
    """The line of docs/CI.md in a real shell, which is then asked as a user's tab key asks it."""
    line = next(one for one in (ROOT / "docs" / "CI.md").read_text().split("`") if one.startswith("eval "))
    asked = f"""{line}
COMP_WORDS=(torch2lit ver); COMP_CWORD=1; _torch2lit_completion torch2lit ver torch2lit; echo "${{COMPREPLY[@]}}" """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", asked], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )

    assert done.stdout == "verify\n", done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None
    completion = complete(main, {}, "torch2lit", "_TORCH2LIT_COMPLETE")

    assert {item.value for item in completion.get_completions([], "")} >= {"convert", "analyze", "verify", "explain"}
    assert "--baseline" in {item.value for item in completion.get_completions(["convert"], "--b")}


def test_the_citation_names_this_version() -> None:
    import yaml

    from torch2lit import __version__

    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
