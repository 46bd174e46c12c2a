"""The names under which a plain view (torch2lit/objects/view.py) knows an object's attributes: variables of the program."""

from __future__ import annotations

STATE = "_t2l_self"
"""What all of them begin with; a text that holds it has no plain view."""
WHOLE = "_t2l_self"
"""The object itself, where it is handed on as a whole."""
ABOVE = "_t2l_selfs_base"
"""What ``super()`` gives."""
_ATTRIBUTE = "_t2l_self_"
LOCAL = "_t2l_local_"
"""What the names begin with that stand for a method's own names outside of it."""


def state_name(attribute: str) -> str:
    """The variable that stands for ``self.ATTRIBUTE``."""
    return f"{_ATTRIBUTE}{attribute}"


def is_state(name: str) -> bool:
    """Whether a name stands for an object's attribute, or for the object."""
    return name.startswith(STATE)


def is_attribute(name: str) -> bool:
    """Whether a name stands for an object's attribute."""
    return name.startswith(_ATTRIBUTE)


def is_whole(name: str) -> bool:
    """Whether a name stands for an object as a whole, or for what is above it."""
    return is_state(name) and not is_attribute(name)


def is_object(name: str) -> bool:
    """Whether a name stands for an object itself."""
    return name == WHOLE


def plain(name: str) -> str:
    """A name in the user's words: the attribute's for an attribute, any other as it is."""
    return name.removeprefix(_ATTRIBUTE)
