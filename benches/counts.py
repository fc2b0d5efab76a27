"""Instructions a row of every model's kernel and of a whole evaluation, against those in tests/instructions.toml.

`python benches/counts.py` compares, `--write` rewrites the file, `--show` prints what was counted. The built library
itself is run, on AVX2 and one thread, under valgrind's callgrind, which knows no wider vectors: a count depends on
the library and its rows alone, not on the machine's mood. Where a kernel needs over 3 % more or fewer, the command
fails.
"""

from __future__ import annotations

import os
import pickle
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

FILE = Path(__file__).parent.parent / "tests" / "instructions.toml"
TOLERANCE = 0.03  # of the count
SLACK = 0.25  # instructions a row: the set-up of a block, where a kernel has hardly more
ROWS = 512  # of each kernel
CHAIN_ROWS = 8192
INSTRUCTION_SET = "avx2"
_KERNEL = re.compile(rf"tapeout::models::(.+)::{INSTRUCTION_SET}::run$")
_EVALUATION = "tapeout::engine::evaluate"
_HEAD = f"""\
# Instructions a row on AVX2, as benches/counts.py counts them: of every model's kernel on {ROWS} typical rows with
# all its outputs asked for, and of a whole evaluation (benches/chain.py), planning included. `make counts` compares,
# and `make recount` rewrites: the commit says why a count is another.
"""


def kernel_calls() -> tuple[list[Any], list[str]]:
    """Calls of the core that each run one model, and the models' names."""
    import rows

    kernels = [kernel for kernel in rows.kernels(ROWS) if kernel.all_outputs]
    calls: list[Any] = [
        (
            ROWS,
            {name: (values, None) for name, values in one.columns.items() if name not in one.outputs},
            one.choices,
            [],
            one.outputs,
            True,
        )
        for one in kernels
    ]
    return calls, [one.model for one in kernels]


def chain_call() -> Any:
    """The call of the core that benches/chain.py makes."""
    import chain
    import tapeout
    from tapeout import _core

    with mock.patch.object(_core, "evaluate", wraps=_core.evaluate) as evaluate:
        tapeout.evaluate(chain.frame(CHAIN_ROWS), chain.OUTPUTS, assume=chain.assumptions())
    return evaluate.call_args.args


def run_calls(library: str, calls: str) -> None:
    """What runs under valgrind: the core by itself, without the package around it."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("_core", library)
    assert spec is not None
    assert spec.loader is not None
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    core.configure(threads=1, instruction_set=INSTRUCTION_SET)
    for call in pickle.loads(Path(calls).read_bytes()):
        core.evaluate(*call)


def _compiled(library: str) -> set[str]:
    """Kernels in the library. Of models whose code is the same the compiler keeps one."""
    symbols = subprocess.run(["nm", "-C", library], check=True, capture_output=True, text=True).stdout
    return {match[1] for line in symbols.splitlines() if (match := _KERNEL.search(line))}


def inclusive(profile: str) -> dict[str, tuple[int, int]]:
    """Of each function called in a profile of callgrind: how often, and instructions with all that it calls."""
    names: dict[str, str] = {}
    found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    lines = iter(profile.splitlines())
    called = ""
    for line in lines:
        if match := re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line):
            if match[2]:
                names[match[1]] = match[2]
            if line.startswith("cfn"):
                called = match[1]
        elif line.startswith("calls="):
            count, cost = found[called]
            found[called] = (count + int(line[6:].split()[0]), cost + int(next(lines).split()[-1]))
    return {names[number]: counts for number, counts in found.items()}


def _profile(folder: Path, name: str, calls: list[Any]) -> subprocess.Popen[str]:
    from tapeout import _core

    (folder / f"{name}.calls").write_bytes(pickle.dumps(calls))
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / name}", sys.executable, __file__]
    return subprocess.Popen(
        [*command, "--run", str(_core.__file__), str(folder / f"{name}.calls")],
        env=os.environ | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def counted() -> dict[str, dict[str, float]]:
    """Instructions a row, of the kernels and of the chain."""
    from tapeout import _core

    calls, models = kernel_calls()
    # A call of a kernel is a block.
    _, _, block_rows = _core.configure()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running = {"kernels": _profile(folder, "kernels", calls), "chain": _profile(folder, "chain", [chain_call()])}
        for process in running.values():
            _, said = process.communicate()
            if process.returncode:
                sys.exit(said)
        profiles = {name: inclusive((folder / name).read_text()) for name in running}
    kernels = {}
    for function, (calls_seen, cost) in profiles["kernels"].items():
        if match := _KERNEL.match(function):
            kernels[match[1]] = cost / (calls_seen * block_rows)
    compiled = _compiled(str(_core.__file__))
    if not kernels or compiled - kernels.keys() or len(compiled) > len(models):
        sys.exit(
            f"{len(kernels)} of {len(compiled)} kernels ran for {len(models)} models: either the library is no "
            "optimized build (make builds one), or a model answered for another (benches/rows.py)"
        )
    _, cost = profiles["chain"][_EVALUATION]
    return {"kernels": kernels, "chain": {"build": cost / CHAIN_ROWS}}


def different(before: Mapping[str, Mapping[str, float]], now: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each count that is too far from the one before, is new or is gone."""
    lines = []
    for part, counts in now.items():
        known = before.get(part, {})
        for name in sorted(known.keys() | counts.keys()):
            was, count = known.get(name), counts.get(name)
            if was is None:
                lines.append(f"{part} {name}: not in the file, now {count:.2f}")
            elif count is None:
                lines.append(f"{part} {name}: {was:.2f} in the file, now not there")
            elif abs(count - was) > max(TOLERANCE * was, SLACK):
                lines.append(f"{part} {name}: {was:.2f} in the file, now {count:.2f}, {count / was - 1:+.1%}")
    return lines


def compiler() -> str:
    """The compiler that built the library."""
    from tapeout import _core

    said = re.search(rb"rustc version [\d.]+", Path(str(_core.__file__)).read_bytes())
    return said[0].decode().replace(" version", "") if said else "unknown"


def text(counts: Mapping[str, Mapping[str, float]]) -> str:
    """The file."""
    lines = [_HEAD + f'compiler = "{compiler()}"']
    for part, of in counts.items():
        lines += ["", f"[{part}]", *(f'"{name}" = {count:.2f}' for name, count in sorted(of.items()))]
    return "\n".join(lines) + "\n"


def unable() -> str | None:
    """Why nothing can be counted here."""
    if shutil.which("valgrind") is None:
        return "there is no valgrind (apt-get install valgrind)"
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"the file's counts are of {INSTRUCTION_SET}, and this is {platform.machine()}"
    from tapeout import _core

    try:
        _core.configure(instruction_set=INSTRUCTION_SET)
    except ValueError as why:
        return str(why)
    _core.configure(instruction_set="best")
    return None


def main() -> None:
    """Compares, writes or shows."""
    if (why := unable()) is not None:
        print(f"instructions are not counted: {why}")
        return
    counts = counted()
    if "--show" in sys.argv:
        print(text(counts), end="")
        return
    if "--write" in sys.argv:
        FILE.write_text(text(counts))
        return
    before = tomllib.loads(FILE.read_text())
    if lines := different(before, counts):
        made_by = (
            "" if before["compiler"] == compiler() else f" (counted with {before['compiler']}, built by {compiler()})"
        )
        sys.exit(
            f"instructions a row, more than {TOLERANCE:.0%} off:\n  "
            + "\n  ".join(lines)
            + f"\nIf that is meant, `make recount` writes {FILE.name}, and the commit says why{made_by}."
        )
    print(f"{sum(map(len, counts.values()))} counts of instructions are as in {FILE.name}, within {TOLERANCE:.0%}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_calls(*sys.argv[2:4])
    else:
        main()
