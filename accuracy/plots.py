"""Predicted against measured, a plot a subject."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from PIL import Image

from accuracy.subject import Subject

#: Okabe and Ito: told apart by the color-blind too.
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
FACTOR = 1.25
WIDTH, RATIO_HEIGHT, SCALE = 420, 150, 1.4
#: Colors of the file, for its size.
PALETTE = 128
RATIOS = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0]
NEAR_RATIOS = [0.8, 0.9, 1.0, 1.1, 1.2]


def write(subject: Subject, folder: Path) -> Path:
    """Draws one subject's predictions out of sample, of the first assignment of folds."""
    _, factor = subject.unit
    predicted = np.atleast_2d(subject.predicted[subject.held_out])[0]
    points = pl.DataFrame(
        {"measured": subject.measured * factor, "predicted": predicted * factor, "chip": subject.labels["chip"]}
    ).filter(pl.col("predicted").is_finite())
    # Points of the last chip would hide the others: a fixed shuffle draws them in no order.
    points = points.sample(fraction=1.0, shuffle=True, seed=0).with_columns(
        ratio=pl.col("predicted") / pl.col("measured")
    )
    path = folder / f"{subject.key}.png"
    with alt.data_transformers.enable("default", max_rows=None):
        chart(subject, points).save(path, scale_factor=SCALE)
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    return path


def chart(subject: Subject, points: pl.DataFrame) -> alt.VConcatChart:
    """Above predicted against measured, below their ratio."""
    name, _ = subject.unit
    values = points.select("measured", "predicted").to_numpy()
    low, high = float(values.min()) / 1.2, float(values.max()) * 1.2
    furthest = 1.02 * max(float(np.exp(np.abs(np.log(points["ratio"].to_numpy())).max())), 1.3)
    even = alt.Scale(type="log", domain=[low, high], nice=False)
    around = alt.Scale(type="log", domain=[1 / furthest, furthest], nice=False)
    axis = alt.Axis(values=ticks(low, high), format="~g", gridOpacity=0.4)
    gap = alt.Axis(values=RATIOS if furthest > 1.5 else NEAR_RATIOS, format="~g", gridOpacity=0.4)
    color = alt.Color("chip:N", scale=alt.Scale(domain=sorted(points["chip"].unique()), range=COLORS), title=None)
    size = 8 if points.height > 3000 else 16 if points.height > 100 else 50
    ends = pl.DataFrame({"measured": [low, high]}).with_columns(
        below=pl.col("measured") / FACTOR, above=pl.col("measured") * FACTOR, less=1 / FACTOR, more=FACTOR, one=1.0
    )

    def panel(x: alt.X, y: alt.Y, point: str, edges: tuple[str, str, str], height: int) -> Any:
        """Points before a band and under a line; edges: below and above the band, and the line."""
        below, above, line = edges
        ground = alt.Chart(ends).encode(x=x)
        return alt.layer(
            ground.mark_area(color="#888888", opacity=0.2, clip=True).encode(y=at(y, below), y2=above),
            alt.Chart(points).mark_circle(size=size, opacity=0.55).encode(x=x, y=at(y, point), color=color),
            ground.mark_line(color="black", strokeWidth=1, clip=True).encode(y=at(y, line)),
        ).properties(width=WIDTH, height=height)

    x = alt.X("measured:Q", scale=even, axis=axis)
    up = alt.Y(scale=even, axis=axis, title=f"predicted, {name}")
    across = alt.Y(scale=around, axis=gap, title="predicted / measured")
    against = panel(x.title(None), up, "predicted", ("below", "above", "measured"), WIDTH)
    beside = panel(x.title(f"measured, {name}"), across, "ratio", ("less", "more", "one"), RATIO_HEIGHT)
    subtitle = f"{subject.held_out}, {points.height:,} rows; line: equal; band: within a factor of {FACTOR}"
    drawn: alt.VConcatChart = (
        alt.vconcat(against, beside, spacing=8)
        .properties(title=alt.Title(subject.title, subtitle=subtitle, anchor="start"))
        .configure_legend(orient="top-left", symbolOpacity=1, symbolSize=60, fillColor="white", padding=6)
        .configure_view(stroke=None)
    )
    return drawn


def at(y: alt.Y, column: str) -> alt.Y:
    """The same axis for another column."""
    other = y.copy()
    other["shorthand"] = f"{column}:Q"
    return other


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade, or its 1 alone where there are many."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if len(decades) <= 4 else (1,)
    return [tick for decade in decades for step in steps if low <= (tick := step * 10.0**decade) <= high]
