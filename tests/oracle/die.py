"""Dies on a wafer, yield, salvage and cost of a sellable die, in 50 digits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row, UnknownValueError

PHASES = 64


def sides_mm(row: Row) -> tuple[float | None, float | None]:
    """Width and height: the missing side is area / side, both are sqrt(area) where neither is given. Definition."""
    width, height, area = (row.get(n) for n in ("die_width_mm", "die_height_mm", "die_area_mm2"))
    if width is None and height is None:
        side = None if area is None else math.sqrt(area)
        return side, side
    if width is None:
        return (None if area is None else area / height), height
    if height is None:
        return width, (None if area is None else area / width)
    return width, height


def grid_dies(width: float, height: float, scribe: float, diameter: float, edge: float, phases: int = PHASES) -> int:
    """Most whole dies over phases x phases positions of a regular grid, all four corners inside the usable radius.

    Die centers lie at (i + k/phases) of the pitch, k = 0 ... phases - 1; k and phases - k are mirror
    images, so half of them are tried. Source: definition of the count (as die-per-wafer calculators, notch
    ignored).
    """
    radius = diameter / 2 - edge
    if radius <= 0:
        return 0

    def far_corners_squared(side: float) -> list[np.ndarray]:
        pitch = side + scribe
        reach = int(radius / pitch) + 2
        index = np.arange(-reach, reach + 1)
        return [np.sort((np.abs(index + k / phases) * pitch + side / 2) ** 2) for k in range(phases // 2 + 1)]

    best = 0
    rows = far_corners_squared(height)
    for column in far_corners_squared(width):
        room = radius**2 - column
        best = max(best, max(int(np.searchsorted(r, room, side="right").sum()) for r in rows))
    return best


def gross_dies(lines: Lines, width: float, height: float) -> Any:
    """Dies on a wafer.

    Sources: de_vries, de Vries 2005, IEEE Trans. Semiconductor Manufacturing 18(1); exponential, Ferris-
    Prabhu 1989, IEEE Circuits and Devices 5(1); classic, the two-term area and edge formula used by die-
    per-wafer calculators; grid, count. A die larger than the usable wafer gives 0.
    """
    scribe, usable = lines["die_scribe_mm"], lines["wafer_diameter_mm"] - 2 * lines["wafer_edge_mm"]
    method = lines.text("gross_die_method")
    area = (mpf(width) + scribe) * (mpf(height) + scribe)
    if usable <= 0:
        return mpf(0)
    if method == "de_vries":
        return mp.pi / area * max(usable / 2 - mp.sqrt(area) / 2, 0) ** 2
    if method == "exponential":
        return mp.pi * usable**2 / (4 * area) * mp.exp(-2 * mp.sqrt(area) / usable)
    if method == "classic":
        return max(mp.pi * usable**2 / (4 * area) - mp.pi * usable / mp.sqrt(2 * area), mpf(0))
    if method == "grid":
        edge = float(lines["wafer_edge_mm"])
        return mpf(grid_dies(width, height, float(scribe), float(lines["wafer_diameter_mm"]), edge))
    raise ValueError(method)


def no_defect(model: str, defects: Any, alpha: Any, layers: Any) -> Any:
    """Probability of no defect where the mean count is `defects`: the Laplace transform of the model's mixing law.

    Sources: Poisson; Murphy 1964, Proc. IEEE 52 (triangular and rectangular densities); Seeds 1967, IEEE
    IEDM (exponential density); Moore 1970, Electronics 43 (exp of minus the root); Stapper 1973, IEEE
    Trans. Electron Devices 20 (negative binomial, gamma density); Price 1970, Proc. IEEE 58 (Bose-Einstein;
    with n layers, gamma of shape n).
    """
    if defects == 0:
        return mpf(1)
    if model == "poisson":
        return mp.exp(-defects)
    if model == "murphy":
        return (-mp.expm1(-defects) / defects) ** 2
    if model == "rectangular":
        return -mp.expm1(-2 * defects) / (2 * defects)
    if model == "moore":
        return mp.exp(-mp.sqrt(defects))
    if model == "seeds":
        return 1 / (1 + defects)
    if model == "negative_binomial":
        return (1 + defects / alpha) ** -alpha
    if model == "bose_einstein":
        return (1 + defects / layers) ** -layers
    raise ValueError(model)


def mean_defects(lines: Lines) -> Any:
    """Mean defects a die: area x density x critical-area ratio; times the layers where the density is per layer.

    Source: definition of defect density; Price 1970 for layers.
    """
    per_die = lines["die_area_mm2"] / 100 * lines["die_defect_density_per_cm2"] * lines["die_critical_area_ratio"]
    return per_die * lines["die_critical_layers"] if lines.text("yield_model") == "bose_einstein" else per_die


def law(lines: Lines, defects: Any) -> Any:
    """The row's yield model at a mean count of defects. Source: see `no_defect`."""
    model = lines.text("yield_model")
    alpha = lines["die_cluster_alpha"] if model == "negative_binomial" else None
    layers = lines["die_critical_layers"] if model == "bose_einstein" else None
    return no_defect(model, defects, alpha, layers)


def salvaged(lines: Lines) -> Any:
    """Probability of 1 to k bad units among n with the rest of the die good, averaged over the mixing law.

    sum_j C(n,j) E[e^(-c x) (1 - e^(-u x))^j e^(-u x (n-j))], expanded in powers of e^(-u x): every
    expectation is then the yield model itself. Alternating, so the digits grow with n and k. Source: Koren
    and Koren 1998, Proc. IEEE 86(9) (yield with redundancy under clustered defects).
    """
    n, k = int(lines["die_units"]), int(lines["die_spare_units"])
    k = min(k, n)
    if k < 1:
        return mpf(0)
    extra = int(math.log10(max(math.comb(n, j) for j in range(k + 1))) + 0.302 * k) + 10
    with mp.workdps(DIGITS + extra):
        defects, share = mean_defects(lines), lines["die_redundant_share"]
        unit, rest = defects * share / n, defects * (1 - share)
        good = {i: law(lines, rest + unit * i) for i in range(n - k, n + 1)}
        total = mpf(0)
        for j in range(1, k + 1):
            inner = mp.fsum((-1) ** m * math.comb(j, m) * good[n - j + m] for m in range(j + 1))
            total += math.comb(n, j) * inner
    return +total


def evaluate(row: Row) -> Result:
    """Die outputs and `die_status`: ok, does_not_fit (fewer than one die a wafer) or no_yield.

    Source: cost of a good die, definition (wafer price over sellable dies).
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)
        width, height = sides_mm(row)

        def area() -> Any:
            if width is None or height is None:
                raise UnknownValueError("die_area_mm2")
            return mpf(width) * mpf(height)

        def gross() -> Any:
            if width is None or height is None:
                raise UnknownValueError("die_width_mm")
            return gross_dies(lines, width, height)

        def gross_scale() -> Any:
            if lines.text("gross_die_method") != "classic":
                return abs(lines["die_gross_per_wafer"])
            usable = lines["wafer_diameter_mm"] - 2 * lines["wafer_edge_mm"]
            pitch_area = (mpf(width or 0) + lines["die_scribe_mm"]) * (mpf(height or 0) + lines["die_scribe_mm"])
            return mp.pi * usable**2 / (4 * pitch_area)

        def exists(name: str) -> bool:
            return float(lines[name]) >= 1 if name == "die_gross_per_wafer" else float(lines[name]) > 0

        def cost() -> Any:
            if not exists("die_gross_per_wafer") or not exists("die_sellable_yield"):
                return None
            return lines["wafer_price_usd"] / (lines["die_gross_per_wafer"] * lines["die_sellable_yield"])

        lines.line("die_area_mm2", area)
        lines.line("die_gross_per_wafer", gross, gross_scale)
        lines.line("die_yield", lambda: law(lines, mean_defects(lines)) * lines["die_systematic_yield"])
        lines.line(
            "die_sellable_yield",
            lambda: lines["die_yield"] + salvaged(lines) * lines["die_systematic_yield"],
        )
        lines.line("die_cost_usd", cost)
        out = lines.result()
        out["die_width_mm"], out["die_height_mm"] = width, height
        status: str | None = "ok"
        try:
            if not exists("die_gross_per_wafer"):
                status = "does_not_fit"
            elif not exists("die_sellable_yield"):
                status = "no_yield"
        except UnknownValueError:
            status = None
        out["die_status"] = status
        return out
