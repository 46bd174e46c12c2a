"""One guard for every walk back over what names are bound to: a value may be made of itself.

batch = {k: batch[k] for k in keys}
data = Subset(data, range(100))
real, fake = fake, real
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def ends_in_a_circle(answer: Any) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """Let a question that comes up again while it is being answered have an answer of its own: what holds of nothing.

    The question is what is passed by place. What is passed by keyword is no part of it.
    """

    def guard(find: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        underway: set[tuple[object, ...]] = set()

        @functools.wraps(find)
        def once(*question: Asked.args, **rest: Asked.kwargs) -> Answer:
            if question in underway:
                known: Answer = answer
                return known
            underway.add(question)
            try:
                return find(*question, **rest)
            finally:
                underway.discard(question)

        return once

    return guard
