"""The data of one endpoint of a bioequivalence study, and the design that they show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Names = NDArray[np.str_]


@dataclass(frozen=True)
class Study:
    """Test and reference values of one endpoint; a row is a subject in a period, rows without a value left out.

    Attributes
    ----------
    subject, sequence, period, treatment : names, shape (n,). A subject has one sequence; periods are names too.
    y : natural logarithm of the value, shape (n,).
    test, reference : the two names in ``treatment``.
    planned_subjects, missing : subjects in the file, and rows of these two treatments that have no value.
    """

    endpoint: str
    subject: Names
    sequence: Names
    period: Names
    treatment: Names
    y: Floats
    test: str
    reference: str
    planned_subjects: int = 0
    missing: int = 0

    def __post_init__(self) -> None:
        shapes = {len(v) for v in (self.subject, self.sequence, self.period, self.treatment, self.y)}
        if len(shapes) != 1:
            raise ValueError(f"subject, sequence, period, treatment and y must have one length, not {sorted(shapes)}")
        if not np.all(np.isfinite(self.y)):
            raise ValueError("the logarithm of a value is not finite: values must be above 0")
        if not set(self.treatment) <= {self.test, self.reference}:
            raise ValueError(f"treatments other than {self.test} and {self.reference} in the data")

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """Rows of the test treatment, shape (n,)."""
        return np.asarray(self.treatment == self.test)

    @property
    def n_subjects(self) -> int:
        """Subjects with at least one value."""
        return len(set(self.subject))

    def arm(self, treatment: str) -> Study:
        """The rows of one treatment."""
        return self.rows(np.asarray(self.treatment == treatment))

    def rows(self, keep: NDArray[np.bool_]) -> Study:
        """Some of the rows."""
        return Study(self.endpoint, self.subject[keep], self.sequence[keep], self.period[keep], self.treatment[keep],
                     self.y[keep], self.test, self.reference, self.planned_subjects, self.missing)  # fmt: skip


@dataclass(frozen=True)
class Design:
    """What the data show: ``kind`` is parallel, 2x2x2, full replicate, partial replicate or other crossover."""

    kind: str
    sequences: tuple[str, ...]
    n_by_sequence: tuple[int, ...]
    periods: int
    replicate_test: bool
    replicate_reference: bool
    complete: bool

    @property
    def words(self) -> str:
        """One line for people."""
        each = ", ".join(f"{s} {n}" for s, n in zip(self.sequences, self.n_by_sequence, strict=True))
        full = "complete" if self.complete else "incomplete"
        return f"{self.kind}; {self.periods} period(s); subjects by sequence: {each}; {full}"


def design_of(study: Study) -> Design:
    """Tell the design from how often a subject got each treatment (the most over subjects: dropouts do not count)."""
    most = {t: max(Counter(study.arm(t).subject).values(), default=0) for t in (study.test, study.reference)}
    both = {s for s in study.arm(study.test).subject} & set(study.arm(study.reference).subject)
    periods = len(set(study.period))
    sequence_of = dict(zip(study.subject, study.sequence, strict=True))
    n_by = Counter(sequence_of.values())
    rows_of = Counter(study.subject)
    most_rows = max(rows_of.values(), default=0)
    if not both:
        kind = "parallel"
    elif most[study.test] > 1 and most[study.reference] > 1:
        kind = "full replicate"
    elif most[study.reference] > 1 or most[study.test] > 1:
        kind = "partial replicate"
    elif periods == 2 and len(n_by) == 2:
        kind = "2x2x2"
    else:
        kind = "other crossover"
    complete = study.missing == 0 and len(set(rows_of.values())) <= 1 and most_rows == (1 if not both else periods)
    names = tuple(sorted(n_by))
    return Design(kind, names, tuple(n_by[s] for s in names), periods, most[study.test] > 1,
                  most[study.reference] > 1, complete)  # fmt: skip
