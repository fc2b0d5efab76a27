"""What limits every model's kernel on this machine: rewrites docs/kernels.md.

`python benches/kernels.py`: rows from benches/rows.py, counts and times from benches/kernels.rs, instructions from
tests/instructions.toml. `--show` prints the page instead.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np

import rows
import tapeout

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "kernels.md"
ROWS = 4096
VECTOR = ("add", "mul", "compare", "select", "bit")  # operations that the arithmetic units do at one rate
ENOUGH = 0.6  # of the measured time, from which on a bound is said to be the limit
AVX2_ROWS = 4  # in one register
HEAD = """\
<!-- Written by make kernels on the machine named below. -->
# What limits the kernels

A kernel is a model's equations, compiled for an instruction set. Operations are counted, not estimated: the equations
are run with a number that counts what is done to it, inside `exp`, `ln` and `pow` too, so that these need no weight.
Times are processor time, the best of 40 runs taken in turns, on one core and {level}: blocks of 512 rows in cache, rows
ordered as the engine orders them, all outputs asked for (or those after the colon), none given, default choices,
typical ranges (`benches/rows.py`).

Machine: {processor}. Measured on it, with numbers in registers and without fused multiply-add,
which would give other bits on processors that have none:

| what | measured |
|---|---|
| additions and multiplications side by side | {peak:.0f} GFLOP/s |
| divisions | {division:.2f} ns a row |
| square roots | {root:.2f} ns a row |
| copying 96 MiB, read and written | {bandwidth:.0f} GB/s |
| waiting for an addition, a multiplication, a comparison | {add_wait:.2f}, {mul_wait:.2f}, {compare_wait:.2f} ns |
| waiting for a division, a square root | {div_wait:.1f}, {sqrt_wait:.1f} ns |

## Time, and what it would be if one thing alone took any

Shares of the measured time:

- *peak*: additions, multiplications, divisions and roots a second, of the rate above.
- *arithmetic*: all vector operations but divisions and roots, so comparisons, selections and bit operations too, at
  that rate.
- *division*: divisions and roots at their rates.
- *chain*: the longest chain of operations of a pack that each wait for the one before. Packs overlap where they are
  short, so that it may be above 100 %.
- *engine*: the call of a block with a kernel that does nothing: addresses, and the order of the rows.
- *memory*: every column read and every output written once, from and to memory. Above 100 %, a frame that does not fit
  in the caches takes that share of the kernel's time at least.
- *idle*, no bound of time: operations done for rows of a pack which have left the loop already.

The largest bound from {enough:.0f} % on is named as the limit. Where there is none, most of the time goes to *other
instructions*, which are not arithmetic: loads and stores of what registers do not hold, branches, look-ups; *tables*,
where one in five operations reads or writes one.

"""
OPERATIONS = """
## Operations a row

*flop*: additions, multiplications, divisions, square roots. *other*: comparisons, selections, bit operations. What
`exp` (and `exp_m1`), `ln` (and `ln_1p`) and `pow` do is in both. *tables*: packs read from and written to tables, and
single rows moved. *bytes*: columns and outputs. *instructions*: on AVX2 (`tests/instructions.toml`), and how many for
*an operation* on a register: one at best.

"""


def measured(folder: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What benches/kernels.rs prints: of the machine and of each kernel."""
    lines = []
    given = {model["name"]: model["outputs"] for model in tapeout.models().iter_rows(named=True)}
    for kernel in rows.kernels(ROWS):
        outputs = given[kernel.model]
        wanted = sum(1 << outputs.index(name) for name in kernel.outputs)
        label = kernel.model if kernel.all_outputs else f"{kernel.model}:{','.join(kernel.outputs)}"
        lines.append(" ".join([label, kernel.model, str(ROWS), str(wanted), *map(str, kernel.choices.values())]))
        (folder / kernel.model).write_bytes(np.concatenate([*kernel.columns.values(), []]).astype("<f8").tobytes())
    (folder / "kernels.txt").write_text("\n".join(lines))
    # A folder of its own: a library without Python in it would else take the place of the one that has.
    cargo = ["cargo", "bench", "--locked", "--quiet", "--target-dir", "target/kernels", "--bench", "kernels"]
    command = [*cargo, "--", str(folder)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    machine, kernels = {}, []
    for line in said.splitlines():
        words = line.split()
        if words[0] == "machine":
            machine[words[1]] = words[2]
        else:
            kernels.append(dict(zip(words[::2], words[1::2], strict=True)))
    return machine, kernels


def processor() -> str:
    """The processor's name, as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in found.items()}
    name = fields.get("model name", platform.machine())
    family = fields.get("cpu family")
    return f"{name}, family {family}, {os.cpu_count()} cores" if family else name


class Kernel:
    """A kernel's counts and times, with what follows from them."""

    def __init__(self, machine: dict[str, str], fields: dict[str, str], instructions: dict[str, float]) -> None:
        self.name = fields["kernel"]
        count = {name: float(value) for name, value in fields.items() if name not in ("kernel", "module")}
        self.count = count
        self.ns = count["ns"]
        self.flop = count["add"] + count["mul"] + count["div"] + count["sqrt"]
        self.other = count["compare"] + count["select"] + count["bit"]
        self.tables = count["load"] + count["store"] + count["move"]
        self.bytes = 8 * count["columns"]
        self.peak = self.flop * float(machine["arithmetic_ns"]) / self.ns
        self.bounds = {
            "arithmetic": sum(count[kind] for kind in VECTOR) * float(machine["arithmetic_ns"]) / self.ns,
            "division": (
                count["div"] * float(machine["division_ns"]) + count["sqrt"] * float(machine["root_ns"])
            ) / self.ns,
            "chain": count["chain_ns"] / self.ns,
            "engine": count["engine_ns"] / self.ns,
            "memory": self.bytes / float(machine["bytes_per_s"]) * 1e9 / self.ns,
        }  # fmt: skip
        # The counts are of all outputs.
        self.instructions = instructions.get(fields["module"]) if ":" not in self.name else None

    @property
    def instructions_an_operation(self) -> float | None:
        """Instructions on AVX2 for one operation on a register."""
        operations = self.flop + self.other
        return None if self.instructions is None or not operations else self.instructions * AVX2_ROWS / operations

    @property
    def limit(self) -> str:
        """What the time goes to."""
        bounds = dict(self.bounds)
        if bounds.pop("memory") >= 1:
            return "memory"
        name = max(bounds, key=lambda bound: bounds[bound])
        if bounds[name] >= ENOUGH:
            return {"chain": "latency of a chain"}.get(name, name)
        if bounds["arithmetic"] + bounds["division"] >= ENOUGH:
            return "arithmetic with division"
        if self.tables > (self.flop + self.other) / 4:
            return "tables"
        return "other instructions"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _short(x: float) -> str:
    return "" if x == 0 else f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def _share(x: float) -> str:
    return f"{x:.0%}" if x >= 0.005 else ""


def page(machine: dict[str, str], found: list[dict[str, str]]) -> str:
    """The page."""
    counts = tomllib.loads((ROOT / "tests" / "instructions.toml").read_text())["kernels"]
    kernels = sorted((Kernel(machine, fields, counts) for fields in found), key=lambda kernel: -kernel.ns)
    lines = [
        _row(["kernel", "ns a row", "GFLOP/s", "peak", *kernels[0].bounds, "idle", "limit"]),
        _row(["---", *["---:"] * 9, "---"]),
    ]
    for one in kernels:
        shares = [one.peak, *one.bounds.values()]
        shares.append(one.count["idle"])
        cells = [_short(one.ns), f"{one.flop / one.ns:.1f}", *map(_share, shares), one.limit]
        lines.append(_row([f"`{one.name}`", *cells]))
    columns = ["flop", "other", "div", "sqrt", "exp", "ln", "pow", "tables", "bytes", "instructions", "an operation"]
    operations = [_row(["kernel", *columns]), _row(["---", *["---:"] * len(columns)])]
    for one in kernels:
        count = one.count
        calls = [count["exp"] + count["exp_m1"], count["ln"] + count["ln_1p"], count["pow"]]
        numbers = [one.flop, one.other, count["div"], count["sqrt"], *calls, one.tables, one.bytes]
        numbers += [one.instructions or 0, one.instructions_an_operation or 0]
        cells = [*map(_short, numbers)]
        operations.append(_row([f"`{one.name}`", *cells]))
    head = HEAD.format(
        level=machine["level"].upper().replace("AVX", "AVX-").replace("AVX-2", "AVX2"),
        processor=processor(),
        peak=1 / float(machine["arithmetic_ns"]),
        division=float(machine["division_ns"]),
        root=float(machine["root_ns"]),
        bandwidth=float(machine["bytes_per_s"]) / 1e9,
        enough=100 * ENOUGH,
        **{name.removesuffix("_ns"): float(value) for name, value in machine.items() if name.endswith("_wait_ns")},
    )
    return head + "\n".join(lines) + "\n" + OPERATIONS + "\n".join(operations) + "\n"


def main() -> None:
    """Measures and writes."""
    with tempfile.TemporaryDirectory() as folder:
        written = page(*measured(Path(folder)))
    if "--show" in sys.argv:
        print(written, end="")
    else:
        PAGE.write_text(written)


if __name__ == "__main__":
    main()
