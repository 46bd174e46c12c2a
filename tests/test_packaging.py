"""What users get when they install: package data, the codemods' package, pinned tests."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

from torch2lit import __version__

ROOT = Path(__file__).parent.parent


def test_codemods_are_installed_below_the_package() -> None:
    package = importlib.import_module("torch2lit.codemods")

    assert package.__name__ == "torch2lit.codemods"
    assert "builtin" in {entry.name for entry in metadata.entry_points(group="torch2lit.codemods")}


def test_version_is_the_one_of_the_distribution() -> None:
    assert metadata.version("torch2lit") == __version__


@pytest.mark.parametrize(
    ("package", "name"),
    [("torch2lit.report", "schema.json"), ("torch2lit", "py.typed"), ("torch2lit", "config.schema.json")],
)
def test_package_data_is_there(package: str, name: str) -> None:
    assert (resources.files(package) / name).is_file()


def test_every_package_is_declared() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    for init in (ROOT / "torch2lit").rglob("__init__.py"):
        name = ".".join(init.parent.relative_to(ROOT).parts)
        assert f'"{name}"' in declared, name


def test_constraints_are_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text().split("\n")
    pins = [line for line in lines if line and not line.startswith("#")]

    assert "torch==2.13.0" in pins
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ; .*)?", pin) for pin in pins)


def test_starts_fast_enough() -> None:
    """The help takes no more than a few times what Python itself takes; generous, for busy machines."""
    from time import perf_counter

    def best(*arguments: str) -> float:
        times = []
        for _ in range(5):
            start = perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times.append(perf_counter() - start)
        return min(times)

    assert best("-m", "torch2lit", "--help") <= 6 * 1.25 * best("-c", "pass")
