"""Format new code, and only new code, with black."""

from __future__ import annotations


def line_length(lines: list[str]) -> int:
    """The width that the user's own code keeps: at least black's 88, at most 120."""
    longest = max((len(line.rstrip()) for line in lines), default=0)
    return min(120, max(88, longest))


def format_code(text: str, width: int) -> str:
    """New code in black's style; the user's quotes stay. Text that black cannot parse raises ValueError."""
    import black
    from black.parsing import InvalidInput

    mode = black.Mode(line_length=width, string_normalization=False)
    # format_str formats whatever it changed a second time, and new code is always changed: half of the time saved.
    once = getattr(black, "_format_str_once", black.format_str)
    try:
        return str(once(text, mode=mode))
    except InvalidInput as error:
        raise ValueError(f"new code cannot be parsed: {error}") from error
