"""C++ by hand: rows in the lanes of `std::experimental::simd`, built by the system's compiler for this processor.

Once as the core promises its bits, without fused multiply-add, and once with.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import platform
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SOURCES = Path(__file__).parent
WIDE = ("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()
FLAGS = ("-O3", "-march=native", *WIDE, "-std=c++20", "-fno-math-errno", "-shared", "-fPIC")
OUTPUTS = {"training": 2, "package": 4, "chain": 4, "point": 3, "search": 4}


@functools.cache
def library(job: str, contract: str) -> ctypes.CDLL:
    """The job's shared library, built where its source or flags are new."""
    flags = (*FLAGS, f"-ffp-contract={contract}")
    texts = [path.read_bytes() for path in sorted(SOURCES.glob("*.hpp"))] + [(SOURCES / f"{job}.cpp").read_bytes()]
    name = hashlib.sha256(b"".join([*texts, " ".join(flags).encode()])).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / "tapeout-benches"
    folder.mkdir(exist_ok=True)
    target = folder / f"{job}-{name}.so"
    if not target.exists():
        new = target.with_suffix(".new")
        subprocess.run(["g++", *flags, str(SOURCES / f"{job}.cpp"), "-o", str(new)], check=True)
        new.replace(target)
    loaded = ctypes.CDLL(str(target))
    for what in ("rows", "fixed"):
        getattr(loaded, f"{job}_{what}").restype = ctypes.c_char_p
    return loaded


def _run(job: str, columns: dict[str, np.ndarray], fixed: Any, contract: str) -> Callable[[], tuple[Any, ...]]:
    loaded = library(job, contract)
    rows, known = len(next(iter(columns.values()))), fixed._asdict()
    # What a job does not have is not read.
    constants = np.array([known.get(name, np.nan) for name in getattr(loaded, f"{job}_fixed")().decode().split()])
    inputs = [np.ascontiguousarray(columns[name]) for name in getattr(loaded, f"{job}_rows")().decode().split()]
    pointers = (ctypes.c_void_p * len(inputs))(*(column.ctypes.data for column in inputs))

    def run() -> tuple[Any, ...]:
        results = [np.empty(rows) for _ in range(OUTPUTS[job])]
        places = (ctypes.c_void_p * len(results))(*(result.ctypes.data for result in results))
        getattr(loaded, job)(pointers, places, ctypes.c_long(rows), ctypes.c_void_p(constants.ctypes.data))
        return tuple(results)

    run.keeps = inputs  # type: ignore[attr-defined]  # the pointers' memory
    return run


def contract_off(job: str, columns: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    return _run(job, columns, fixed, "off")


def contract_on(job: str, columns: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    return _run(job, columns, fixed, "fast")
