"""What is checked in about the surface is what the package says."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from tapeout import _core

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("tool", ["surface.py", "docs.py"])
def test_generated_files_are_current(tool: str) -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / tool, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_stub_has_the_names_and_parameters_of_the_core() -> None:
    tree = ast.parse((ROOT / "python" / "tapeout" / "_core.pyi").read_text())
    stub = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            required = len(node.args.args) - len(node.args.defaults)
            stub[node.name] = [(arg.arg, i >= required) for i, arg in enumerate(node.args.args)]
    functions = {name: f for name, f in vars(_core).items() if inspect.isbuiltin(f) and not name.startswith("_")}
    core = {
        name: [(p.name, p.default is not p.empty) for p in inspect.signature(f).parameters.values()]
        for name, f in functions.items()
    }
    assert stub == core
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert classes == {name for name, value in vars(_core).items() if inspect.isclass(value)}
