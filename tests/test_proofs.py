"""Answers that rest on each other are kept as long as what they rest on holds."""

from __future__ import annotations

from torch2lit.plan.proofs import Proofs


def _asked(proofs: Proofs, rests_on: dict[str, list[str]], key: str) -> bool:
    """Whether all that a key rests on holds; what is not listed does not."""
    return proofs.holds(
        key, lambda: key in rests_on and all(_asked(proofs, rests_on, other) for other in rests_on[key])
    )


def test_what_is_made_of_itself_holds() -> None:
    assert _asked(Proofs(), {"sum": ["sum", "loss"], "loss": []}, "sum")


def test_what_rests_on_each_other_holds() -> None:
    assert _asked(Proofs(), {"best": ["last"], "last": ["best"]}, "best")


def test_what_stood_on_a_failed_answer_is_forgotten() -> None:
    proofs = Proofs()
    rests_on = {"last": ["best", "array"], "best": ["last"]}
    assert not _asked(proofs, rests_on, "last")
    assert not _asked(proofs, rests_on, "best")


def test_what_does_not_stand_on_it_is_kept() -> None:
    proofs, asked = Proofs(), list[str]()

    def ask() -> bool:
        asked.append("loss")
        return False

    assert proofs.holds("loss", lambda: True)
    assert not proofs.holds("last", lambda: proofs.holds("loss", ask) and False)
    assert proofs.holds("loss", ask) and not asked
