"""The documentation names what exists: modules in the reference, imports in the code it shows."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _code_blocks(text: str) -> list[str]:
    """The Python blocks of a page, sessions (``>>>``) reduced to what was typed."""
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [
        "".join(example.source for example in doctest.DocTestParser().get_examples(block))
        if block.startswith(">>>")
        else block
        for block in blocks
    ]


def _imports(code: str) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found += [(node.module, alias.name) for alias in node.names]
    return [item for item in found if item[0].partition(".")[0] == "pyg_topn"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_imports_in_the_pages_exist(page: Path) -> None:
    for code in _code_blocks(page.read_text(encoding="utf-8")):
        for module, name in _imports(code):
            imported = importlib.import_module(module)
            assert name is None or hasattr(imported, name), f"{module}.{name}"


def test_code_blocks_are_found() -> None:
    text = "```python\n>>> from pyg_topn.nn import creation\n>>> 1\n1\n```\n```bash\nls\n```\n"
    (code,) = _code_blocks(text)
    assert _imports(code) == [("pyg_topn.nn", "creation")]


def test_reference_lists_every_stage() -> None:
    package = ROOT / "pyg_topn"
    stages = {path for path in package.glob("*.py") if path.stem != "cli"}
    folders = {path.parent for path in package.glob("*/**/*.py")}
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in stages | folders
        # pyg_topn.nn only holds other folders.
        if not path.stem.startswith("_") and path.name != "nn"
    }
    listed = set(re.findall(r"^ +(pyg_topn[\w.]*)$", (ROOT / "docs/api.rst").read_text(), re.M))
    assert names <= listed
