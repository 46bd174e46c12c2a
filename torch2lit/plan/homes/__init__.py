"""Where every value lives in the module, one file for each kind of home; each class adds one kind to the one before it."""

from .settler import settle

__all__ = ["settle"]
