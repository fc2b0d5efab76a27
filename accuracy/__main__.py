"""How far the models are from what was measured.

    python -m accuracy FOLDER [SUBJECT ...] [--page docs/accuracy.md]

FOLDER has the measurements: serving_measured.csv, training_measured_megatron.csv, training_measured_b200.csv,
gemm_measured.csv, epoch_training_costs.csv. They are not part of this project; each file of `accuracy/` says what is in
its own. SUBJECT is one of serving, step, gemm, training; all without. Printed are the tables of docs/accuracy.md and
the constants that were fitted. With --page they are written there, and the plots to a folder of the same name.
The exit code is 0 if errors are within the limits that the files of `accuracy/` state, 1 if not, 2 if there is nothing
to compare.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from accuracy import gemm, page, serving, step, training
from accuracy.subject import Missing, Subject

SUBJECTS = {"serving": serving.subjects, "step": step.subjects, "gemm": gemm.subjects}
TRAINING = "training"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m accuracy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("subject", nargs="*")
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args(arguments)
    wanted = asked.subject or [*SUBJECTS, TRAINING]
    if unknown := set(wanted) - {*SUBJECTS, TRAINING}:
        parser.error(f"no subject {', '.join(sorted(unknown))}; there are {', '.join([*SUBJECTS, TRAINING])}")
    if asked.page is not None and asked.subject:
        parser.error("--page is of all subjects")
    subjects: list[Subject] = []
    costs: list[str] = []
    failures: list[str] = []
    try:
        for name in wanted:
            if name == TRAINING:
                costs, beyond = training.check(asked.folder)
                failures += beyond
            else:
                subjects += SUBJECTS[name](asked.folder)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    failures += [sentence for subject in subjects for sentence in subject.beyond()]

    if asked.page is not None:
        from accuracy import plots

        folder = asked.page.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        for subject in filter(lambda one: one.plotted, subjects):
            plots.write(subject, folder)
        asked.page.write_text("\n".join(page.page(subjects, costs, folder.name)) + "\n")
    for subject in subjects:
        print("\n".join(page.section(subject, None)))
        print("\n".join(["", *subject.details, ""]))
    print("\n".join(costs))
    print("\n".join(["beyond the limits:", *failures]) if failures else "all within the limits")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
