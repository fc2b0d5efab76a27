"""Writes tests/surface.txt: every public name with signature and defaults, every variable with unit and default.

A changed default silently changes results; here it is a visible difference. `--check` fails where the file is not so.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import tapeout
import tapeout.functions

FILE = Path(__file__).parent.parent / "tests" / "surface.txt"


def _signatures() -> list[str]:
    lines = []
    for module in (tapeout, tapeout.functions):
        for name in sorted(module.__all__):
            value = getattr(module, name)
            if inspect.isclass(value):
                bases = ", ".join(base.__name__ for base in value.__bases__)
                lines.append(f"{module.__name__}.{name}({bases})")
            elif callable(value):
                lines.append(f"{module.__name__}.{name}{inspect.signature(value)}")
            else:
                lines.append(f"{module.__name__}.{name}: {type(value).__name__}")
    return lines


def text() -> str:
    """The whole surface."""
    lines = [*_signatures(), "", "variable | role | kind | unit | bounds | default"]
    for row in tapeout.variables().sort("name").iter_rows(named=True):
        bounds = "|".join(row["choices"]) if row["kind"] == "choice" else f"{row['low']} to {row['high']}"
        fields = (row["name"], row["role"], row["kind"], row["unit"], bounds, row["default"])
        lines.append(" | ".join("-" if field is None else str(field) for field in fields))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes, or compares with `--check`."""
    if "--check" not in sys.argv:
        FILE.write_text(text())
    elif not FILE.exists() or FILE.read_text() != text():
        sys.exit(f"{FILE.name} is not what the package says: run make generated and look at the difference")


if __name__ == "__main__":
    main()
