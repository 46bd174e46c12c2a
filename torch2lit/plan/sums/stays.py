"""Why a sum stays the script's own."""

from __future__ import annotations


class Stays(Exception):
    """The reason, in a user's words."""
