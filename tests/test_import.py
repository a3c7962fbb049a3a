"""The base install imports without any extra; the package carries its version, types and data."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pyg_topn

PACKAGE = Path(pyg_topn.__file__).parent

# What an extra brings. Torch, PyG and their own dependencies are not listed.
EXTRAS = (
    "fcd",
    "huggingface_hub",
    "lightning",
    "lightning_fabric",
    "matplotlib",
    "ot",
    "pandas",
    "pytorch_lightning",
    "rdkit",
    "rich",
    "tensorboard",
    "torch_scatter",
    "typer",
)

# The modules that exist to join an extra with the rest, and what runs in worker processes only.
NEED_EXTRAS = (
    "pyg_topn.__main__",
    "pyg_topn._graph_vae_module",
    "pyg_topn._processor_timer",
    "pyg_topn._trainer",
    "pyg_topn.cli",
    "pyg_topn.datasets._smiles_worker",
    "pyg_topn.training",
    "pyg_topn.utils._smiles_writer",
)

# Runs in an interpreter of its own, where nothing is imported yet.
SCRIPT = """
import importlib, pkgutil, sys

extras, skipped = sys.argv[1].split(","), sys.argv[2].split(",")

class Without:
    # A finder that does not find the extras: to importlib they are not installed.
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in extras:
            return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path = [Without(finder) for finder in sys.meta_path]

def walk(name):
    if name in skipped:
        return
    print(name)
    module = importlib.import_module(name)
    for child in pkgutil.iter_modules(getattr(module, "__path__", ())):
        walk(f"{name}.{child.name}")

walk("pyg_topn")
present = sorted(name for name in sys.modules if name.partition(".")[0] in extras)
assert not present, present
"""


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, ",".join(EXTRAS), ",".join(NEED_EXTRAS)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_import_needs_no_extra() -> None:
    result = _run(SCRIPT)
    assert result.returncode == 0, result.stderr[-2000:]
    expected = {_module_name(path) for path in PACKAGE.rglob("*.py")}
    expected = {
        name
        for name in expected
        if not any(name == needs or name.startswith(f"{needs}.") for needs in NEED_EXTRAS)
    }
    # A folder without __init__.py would be skipped in silence.
    assert set(result.stdout.split()) == expected


def test_blocked_extras_are_really_absent() -> None:
    result = _run(SCRIPT.replace('walk("pyg_topn")', "import rdkit"))
    assert result.returncode != 0
    assert "No module named 'rdkit'" in result.stderr


def test_version_is_the_installed_one() -> None:
    installed = importlib.metadata.version("pyg-topn")
    assert pyg_topn.__version__ == installed, "install the package again: pip install -e ."


def test_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_console_script_is_declared() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts", name="pyg-topn")
    assert [script.value for script in scripts] == ["pyg_topn.__main__:main"]


SHIPPED = ("qm9-top-n", "qm9-top-n-one-step")


def test_wheel_holds_the_package_and_its_data(tmp_path: Path) -> None:
    wheel_builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder
    builder = wheel_builder(str(PACKAGE.parent))
    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.rglob("*.py")}
    assert modules <= names
    assert {"pyg_topn/py.typed", "pyg_topn/datasets/data/qm9.smi.xz"} <= names
    files = ("config.json", "model.safetensors", "README.md")
    shipped = {f"pyg_topn/_pretrained/{model}/{file}" for model in SHIPPED for file in files}
    assert shipped <= names
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"pyg_topn", f"pyg_topn-{pyg_topn.__version__}.dist-info"}
    assert not any(name.endswith((".pyc", ".pyo")) for name in names)
