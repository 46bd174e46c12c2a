"""Every trait that is not exact by itself has a golden case that is exact or flagged, and the page says which."""

from __future__ import annotations

import pytest
from exactness_traits import SECTIONS
from fixture_cases import case, names
from update_exactness_doc import PAGE, page, result

FIXTURES = sorted({name for traits in SECTIONS.values() for trait in traits for name in trait.fixtures})


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python tests/update_exactness_doc.py`"


@pytest.mark.parametrize("name", FIXTURES)
def test_trait_is_exact_or_flagged(name: str) -> None:
    assert name in names(), "no such golden case"
    assert result(name).startswith(("exact, ", "exact on every rank, ", "flagged: ", "told, ")), (
        "neither run nor flagged"
    )
    if case(name).run and case(name).verify != "identical":
        assert "flagged" in result(name)
