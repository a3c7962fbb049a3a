"""The rules that keep the package readable: small files, one public class each, documented."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "pyg_topn").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

MAX_MODULE = 200  # lines of code
MAX_FILE = 300  # lines of text, docstrings and comments included
MAX_EXAMPLE = 150  # lines of text
USUAL_FUNCTION = 25  # lines of code in the body; a few may be longer ...
MAX_FUNCTION = 40  # ... but none longer than this
SHARE_OF_LONGER_FUNCTIONS = 0.05

# Names that say nothing about what a module does and collect everything.
EMPTY_NAMES = {"core", "common", "helper", "helpers", "manager", "config", "misc", "base_utils"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef | ast.Module


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, Documented) and ast.get_docstring(node) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def _code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold code: no blank line, comment or docstring."""
    ignored = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - _docstring_lines(ast.parse(source))


def _functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and lines of code in the body of every function and method."""
    code = _code_lines(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            body = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
            yield node.name, len(code.intersection(body))


def _public(tree: ast.Module, kind: type[ast.ClassDef] | type[ast.FunctionDef]) -> list[ast.stmt]:
    return [n for n in tree.body if isinstance(n, kind) and not n.name.startswith("_")]


def _wants_example(node: ast.ClassDef) -> bool:
    """A class that one cannot make (abstract, a protocol) or only catches has no example."""
    bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
    abstract = any(
        ast.unparse(decorator).endswith("abstractmethod")
        for method in node.body
        if isinstance(method, Function)
        for decorator in method.decorator_list
    )
    error = node.name.endswith(("Error", "Warning"))
    return not (abstract or error or bases & {"ABC", "Protocol", "TypedDict", "NamedTuple"})


def _undocumented(source: str) -> list[str]:
    tree = ast.parse(source)
    if not tree.body:
        return []
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in _public(tree, ast.ClassDef) + _public(tree, ast.FunctionDef):
        assert isinstance(node, ast.ClassDef | ast.FunctionDef)
        docstring = ast.get_docstring(node)
        if not docstring:
            missing.append(node.name)
        elif isinstance(node, ast.ClassDef) and _wants_example(node) and ">>>" not in docstring:
            missing.append(f"an example of {node.name}")
    return missing


def test_there_is_a_package() -> None:
    assert len(MODULES) > 1


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_are_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(_code_lines(source)) <= MAX_MODULE
    assert len(source.splitlines()) <= MAX_FILE


@pytest.mark.parametrize("path", EXAMPLES, ids=_name)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_EXAMPLE


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_hold_one_public_class(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node.name for node in _public(tree, ast.ClassDef) if isinstance(node, ast.ClassDef)]
    allowed = 0 if path.name == "__init__.py" else 1
    assert len(classes) <= allowed, classes


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_names_say_what_is_inside(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    assert not EMPTY_NAMES.intersection(parts)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_public_things_are_documented(path: Path) -> None:
    if path.stem.startswith("_") and path.stem != "__init__":
        return  # a private module
    assert _undocumented(path.read_text(encoding="utf-8")) == []


def test_functions_are_short() -> None:
    lengths = [
        (f"{_name(path)}:{name}", length)
        for path in MODULES
        for name, length in _functions(path.read_text(encoding="utf-8"))
    ]
    assert [item for item in lengths if item[1] > MAX_FUNCTION] == []
    longer = [item for item in lengths if item[1] > USUAL_FUNCTION]
    assert len(longer) <= SHARE_OF_LONGER_FUNCTIONS * len(lengths), longer


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_tests_mirror_the_package(path: Path) -> None:
    if path.stem.startswith("_"):
        return  # __init__, __main__ and private modules are tested through the public ones
    folder = ROOT / "tests" / path.relative_to(ROOT / "pyg_topn").parent
    assert (folder / f"test_{path.stem}.py").is_file() or (folder / path.stem).is_dir()


SAMPLE = '''"""Module."""

import torch  # a comment


class Layer(torch.nn.Module):
    """A layer."""

    def forward(
        self,
        x,
    ):
        """Says

        what."""
        # a comment

        text = """two
lines"""
        return text
'''


def test_the_rules_count_code_only() -> None:
    assert len(_code_lines(SAMPLE)) == 9
    assert dict(_functions(SAMPLE)) == {"forward": 3}


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        (SAMPLE, ["an example of Layer"]),
        ("def f(): ...", ["the module", "f"]),
        ('"""M."""\nclass _Private: ...', []),
        ('"""M."""\nclass Failure(Exception):\n    """E."""', ["an example of Failure"]),
        ('"""M."""\nclass SizeError(ValueError):\n    """E."""', []),
        ('"""M."""\nclass Base(abc.ABC):\n    """B."""', []),
        ('"""M."""\nclass Layer:\n    """L.\n\n    >>> Layer()\n    """', []),
        ("", []),
    ],
)
def test_the_rules_see_what_is_missing(source: str, missing: list[str]) -> None:
    assert _undocumented(source) == missing
