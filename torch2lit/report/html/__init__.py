"""The page for reviewers: one self-contained HTML file, made of conversions and, where a proof was run, of its result.

Needs jinja2 and pygments (the extra ``report``); nothing else of torch2lit imports this package.
"""
