"""Settings of Sphinx."""

from __future__ import annotations

import pyg_topn

project = "pyg_topn"
author = "The pyg_topn maintainers"
copyright = f"2026, {author}"
version = release = pyg_topn.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"pyg_topn {release}"
default_role = "py:obj"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
# A package documents what its __all__ lists, a module what it defines.
autosummary_ignore_module_all = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
# Else "Attributes:" describes the fields of a named tuple a second time.
napoleon_use_ivar = True
napoleon_custom_sections = ["Shapes"]

# Methods of Lightning that are overridden here are documented there.
autodoc_inherit_docstrings = False
