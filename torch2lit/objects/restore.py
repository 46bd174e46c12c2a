"""From the names of a plain view back to the object's attributes, in new code and in what is told."""

from __future__ import annotations

import re

from ..recover.state_names import ABOVE, STATE
from ..recover.syntax import Seen

_NAME = re.compile(rf"\b{STATE}(?:_(\w+))?\b")
_SHOWN = re.compile(r"\{[^{}\"']*\b" + STATE + r"\w*[^{}\"'=!<>]*=\s*(?:![rsa])?(?::[^{}]*)?\}")


class NoTwinError(Exception):
    """A name of a view stands for something that new code cannot say; the text tells why."""


def with_object(text: str, view: Seen, holder: str, *, elsewhere: bool = False) -> str:
    """The text with attributes of ``holder`` for the view's names. Raises NoTwinError when a name of it has no twin.

    ``elsewhere``: the text stands outside of the class, where Python does not mangle private names for it.
    """
    if _SHOWN.search(text):
        raise NoTwinError("an f-string shows the name of an attribute")
    if ABOVE in text:
        raise NoTwinError("`super()` stands in the loop or in a method that it runs")
    methods = {m: m.name for m in view.family.names}
    owners = {methods[m]: owner.name for owner in view.family.classes for m in owner.body if m in methods}

    def attribute(found: re.Match[str]) -> str:
        name = found.group(1)
        if name is None:
            return holder
        if name in view.overridden:
            raise NoTwinError("a method calls the one that it overrides")
        if elsewhere and name.startswith("__") and not name.endswith("__"):
            owner = owners.get(name, view.family.leaf.name)
            return f"{holder}._{owner.lstrip('_')}{name}"
        return f"{holder}.{name}"

    return _NAME.sub(attribute, text)


def in_raw_words(text: str, holder: str = "self") -> str:
    """A message with the user's words for the view's names."""
    words = _NAME.sub(lambda found: f"{holder}.{found.group(1)}" if found.group(1) else holder, text)
    return words.replace(ABOVE, "super()")
