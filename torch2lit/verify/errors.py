"""What can keep a verification from taking place at all."""

from __future__ import annotations


class VerifyError(Exception):
    """The proof could not be attempted. The text is one clean sentence or two for the user."""
