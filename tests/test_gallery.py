"""The gallery shows what comes out today, and its proofs are about these texts."""

from __future__ import annotations

from pathlib import Path

import pytest
import update_gallery
from gallery_cases import GALLERY, converted, copy_of, digest_of, expected, gallery_names, proofs

AGAIN = "run `python tests/update_gallery.py` and read the diff"


@pytest.mark.parametrize("name", gallery_names())
def test_the_texts_are_current(name: str, tmp_path: Path) -> None:
    assert converted(copy_of(name, tmp_path))[1] == expected(name), AGAIN


@pytest.mark.parametrize("name", gallery_names())
def test_the_proof_is_about_these_texts(name: str) -> None:
    proof = proofs()[name]

    assert proof["digest"] == digest_of(name), AGAIN
    assert proof["status"] == "identical" and proof["steps"] > 0


@pytest.mark.parametrize("name", gallery_names())
def test_a_second_conversion_changes_nothing(name: str, tmp_path: Path) -> None:
    entry = copy_of(name, tmp_path)
    converted(entry)

    assert converted(entry)[1] == {}


def test_the_page_is_current() -> None:
    assert update_gallery.PAGE.read_text(encoding="utf-8") == update_gallery.page(), AGAIN


def test_there_are_programs_notebooks_and_scripts() -> None:
    files = [{file.name for file in (GALLERY / name).iterdir()} for name in gallery_names()]

    assert len(files) >= 24
    assert sum("train.ipynb" in names for names in files) >= 2
    assert sum(len(names - {"converted"}) > 2 for names in files) >= 2
