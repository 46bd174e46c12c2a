"""Which rewrites are installed."""

from __future__ import annotations

import pytest

from torch2lit import installed


def test_own_rewrites_need_no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder that is worked in holds all that is installed, no entry point counts: torch2lit's own rewrites still do."""
    monkeypatch.setattr(installed, "distributions", lambda path: ())
    assert [getattr(one, "__name__", "") for one in installed._points.__wrapped__()] == ["torch2lit.codemods"]


def test_own_rewrites_are_offered_once() -> None:
    assert [getattr(one, "__name__", "") for one in installed._points()].count("torch2lit.codemods") == 1
    names = [one.name for one in installed.idioms()]
    assert len(names) == len(set(names)) > 0
