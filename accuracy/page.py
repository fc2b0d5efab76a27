"""The page of errors, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from accuracy.subject import Subject, percent

PEERS = Path(__file__).parent / "peers.csv"
NOTE = "<!-- Written by `make accuracy FOLDER=...` from measurements that are not part of this project. -->"
INTRODUCTION = """# Accuracy

How far the models are from what was measured, beside a roofline and beside what others report of themselves.

- **Error**: |predicted / measured - 1|, per cent. Median and mean over rows.
- **Bias**: the geometric mean of predicted / measured, less one. Below zero, predictions are too short.
- **Nine of ten within × f**: nine rows of ten lie between measured / f and measured · f.
- Three figures in a cell are median / mean / bias.
- **In sample**: by the constants that the project ships. They were fitted on these rows, or on a larger set of their
  kind.
- **Left out**: by constants fitted here to the other rows.
- **Roofline**: arithmetic, memory traffic and, in serving, communication at the rates of data sheets, no constant
  fitted; of training steps arithmetic alone. It shows what constants and overheads are worth.

Errors out of sample are what to expect of a chip, a model or an engine that was not measured. The rows are those
that somebody published, mostly of runs that somebody had tuned. Not here at all: chips of AMD, Google and Amazon,
more than eight chips in serving, prompts on machines of their own, speculative decoding, training on Hopper.

Errors that peers report are on rows of their choice, mostly with kernels measured on the very chips. They say what a
tool promises; they do not rank it against these.
"""
READINGS = {
    "tpot": """What a roofline misses is time that no roof explains: times a layer and a step.

Weakest: Llama-3.1-8B and models in 16 bits, too long; H200 where no H200 was seen; an engine that was not seen, since
its factor is then a guess. Rows of a group err together, so that three measurements of one's own (`tapeout calibrate
serving`) mend a good part. Versions of an engine, told apart by month alone, differ by more than most chips do. The
two groups furthest off are one set of runs, vLLM 0.12 on H200, too long for one model and too short for another: it
may be the measurements. They are kept, since nothing but the error speaks against them.""",
    "ttft": """An order of magnitude rather than a forecast: launch paths, chunk sizes and schedulers of engines
decide it and are not in the published rows.

Weakest: SGLang, above all where it was not seen, with DeepSeek-V3; TensorRT-LLM with Llama-3.1-70B; more than 128
requests under way, too short. Measured times beyond two seconds are mostly queues that the model does not see:
limits of schedulers that the rows do not state. The requests of these runs came at a fixed number under way; those
that arrive at random are not validated.""",
    "step": """Weakest: the three runs of MT-NLG come out too short and a similar run without DeepSpeed does not:
software, for which there is no constant. On B200, tensor parallel over four chips comes out too long and over eight
too short.

Efficiencies of one chip are no guide to another's: the A100 runs were tuned by their authors, the B200 runs hid no
communication. For a chip without a measured step, that spread is what is known.""",
    "gemm": """Weakest: few rows, above all on B200, where software picks kernels that no count of tiles foretells.
The largest products in 16 bits on H100 and B200 come out too short, as if sustained load lowered their clock (a
guess); no constant stands for that. In 8 bits a roofline misses most, since times are with the conversion of what
comes in.

Efficiencies of another chip miss by several times as much as a chip's own, whichever shapes are left out.""",
}


def page(subjects: list[Subject], training: list[str], plots: str | None) -> Iterator[str]:
    """Lines of the page; plots: the folder of the plots, relative to it."""
    yield NOTE
    yield ""
    yield INTRODUCTION
    yield "| median / mean | rows | in sample | out of sample | roofline |"
    yield "|---|--:|--:|--:|--:|"
    for subject in subjects:
        yield summary(subject)
    for subject in subjects:
        yield ""
        yield from section(subject, plots)
    yield ""
    yield "## Cost of training runs"
    yield ""
    yield from training


def summary(subject: Subject) -> str:
    cells = []
    for way in (subject.in_sample, subject.held_out, subject.roofline):
        error = subject.error(way) if way else None
        cells.append(f"{percent(error.median)} / {percent(error.mean)}" if error else "")
    cells[1] += f", {subject.held_out}"
    anchor = subject.title.lower().replace(" ", "-").replace("(", "").replace(")", "")
    return f"| [{subject.title}](#{anchor}) | {subject.error(subject.in_sample).rows} | {' | '.join(cells)} |"


def section(subject: Subject, plots: str | None) -> Iterator[str]:
    yield f"## {subject.title}"
    yield ""
    yield subject.text
    yield ""
    if plots is not None and subject.plotted:
        yield f"![Predicted against measured: {subject.title}, {subject.held_out}]({plots}/{subject.key}.png)"
        yield ""
    yield from subject.overall()
    yield ""
    yield from subject.remarks
    if subject.remarks:
        yield ""
    yield from subject.tables()
    if subject.key in READINGS:
        if subject.group:
            yield "Furthest off:"
            yield ""
            yield from subject.worst()
            yield ""
        yield READINGS[subject.key]
        yield ""
    peers = pl.read_csv(PEERS).filter(pl.col("subject") == subject.key)
    if not peers.is_empty():
        yield "What others report of themselves, on rows of their own:"
        yield ""
        yield "| peer | error | on | source |"
        yield "|---|---|---|---|"
        yield from (f"| {' | '.join(cells)} |" for _, *cells in peers.iter_rows())
