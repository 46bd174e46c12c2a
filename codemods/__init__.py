"""Idioms: raw constructs for which Lightning has a mechanism of its own, one file each.

Every module here has an ``IDIOM`` with a ``name`` and a ``claim`` (see `torch2lit.program.Idiom`). Nothing else
has to know of a new file: the engine asks every module of the packages in the entry-point group ``torch2lit.codemods``.

What spans several statements is a feature: a module with a ``FEATURE`` (see `torch2lit.feature.Feature`).
"""
