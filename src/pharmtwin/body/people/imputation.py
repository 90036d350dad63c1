"""Covariates that a sheet does not tell: their distribution given what it does tell, and values that cannot be.

Height, weight, creatinine and haematocrit of one person are jointly normal on the scale of the normal scores u
(:mod:`pharmtwin.body.people.survey`), so those missing, given those known, age, sex and ancestry, are normal with mean
and covariance by the usual formulas. Albumin follows its level at that age
(:func:`pharmtwin.body.content.blood.albumin`), by itself. A missing age or sex is an error: nothing stands in for
them. What is imputed is said, with its width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.body.content import blood
from pharmtwin.body.equations import Bools, Floats, body_mass_index
from pharmtwin.body.people.survey import COLUMNS, QUANTITIES, SurveyModel, ancestry_groups, limits, survey_model
from pharmtwin.core.ages import PRETERM_WEEKS
from pharmtwin.core.seeds import generator
from pharmtwin.findings import Finding

STAGE = "imputation"
ALBUMIN = "albumin_g_l"
BODY = tuple(COLUMNS[q] for q in QUANTITIES)
IMPUTABLE = (*BODY, ALBUMIN)
UNIT = {"height_cm": "cm", "weight_kg": "kg", "creatinine_mg_dl": "mg/dL", "haematocrit": "1", ALBUMIN: "g/L"}
UNLIKELY, IMPOSSIBLE = 4.0, 6.0  # |z|: warning, error
PRETERM_UNTIL = 2.0  # years of age up to which no chart here holds for infants born preterm
EARLY = "born before 37 weeks? give gestational_age_wk"
LOWEST, HIGHEST = -5.0, 5.0  # scores of draws: a draw beyond has a chance of 6e-7 and is put there


@dataclass(frozen=True)
class Imputation:
    """What is missing and what stands in for it.

    table : one row a missing value: row (position in the sheet), twin_id, column, unit, given (columns it is
        conditional on), scale (what mean and sd are on: ``score`` or ``log``), mean, sd, low, median, high (values at
        mean - sd, mean, mean + sd), log_sd (half of log(high/low): the width as a lognormal sd).
    covariance : row -> covariance of its missing scores, in the order of ``table``.
    findings : ``body.imputed`` (note; warning if the width is above 0.35 in the logarithm) and errors.
    """

    table: pd.DataFrame
    covariance: dict[int, Floats]
    findings: list[Finding]
    _twins: pd.DataFrame
    _model: SurveyModel
    _charts: bool

    def filled(self) -> pd.DataFrame:
        """The twins with each missing value at its conditional median."""
        return self._fill(self.table["median"].to_numpy(dtype=float))

    def draws(self, seed: int, n: int) -> Floats:
        """Values of every row of ``table`` in ``n`` draws, (rows, n), by seed and twin_id; correlated within a twin."""
        mean, sd = (self.table[name].to_numpy(dtype=float) for name in ("mean", "sd"))
        which = np.array([IMPUTABLE.index(c) for c in self.table["column"]], dtype=int)
        row, twin = self.table["row"].to_numpy(dtype=int), self.table["twin_id"].to_numpy(dtype=object)
        scores = np.empty((len(self.table), n))
        for at in np.split(np.arange(len(row)), np.flatnonzero(np.diff(row)) + 1) if len(row) else []:
            # all quantities are drawn, so that a draw does not depend on what else is missing or asked for
            z = generator(seed, STAGE, str(twin[at[0]])).standard_normal((n, len(IMPUTABLE))).T[which[at]]
            body = which[at] < len(BODY)
            z[body] = _root(self.covariance[int(row[at[0]])]) @ z[body]
            scores[at] = mean[at, None] + np.where(body[:, None], z, sd[at, None] * z)
        out = np.empty_like(scores)
        for column in dict.fromkeys(self.table["column"]):
            at = (self.table["column"] == column).to_numpy()
            values = scores[at]
            if column == ALBUMIN:
                values = np.exp(values)
            else:
                twins = self._twins.iloc[np.repeat(self.table["row"].to_numpy(dtype=int)[at], n)]
                age, female = _numbers(twins, "age_y"), (twins["sex"] == "F").to_numpy(dtype=bool)
                u = np.clip(values, LOWEST, HIGHEST).ravel()
                values = self._model.value(QUANTITIES[BODY.index(column)], u, age, female, self._charts)
            out[at] = np.clip(values, *limits()[column]).reshape(-1, n)
        return out

    def filled_draws(self, seed: int, n: int) -> list[pd.DataFrame]:
        """The twins with each missing value drawn, ``n`` times; the k-th is ``draw(seed, k)``."""
        values = self.draws(seed, n)
        return [self._fill(values[:, k]) for k in range(n)]

    def draw(self, seed: int, number: int) -> pd.DataFrame:
        """The twins with each missing value drawn; ``number`` counts the draws from 0."""
        return self._fill(self.draws(seed, number + 1)[:, number])

    def _fill(self, values: Floats) -> pd.DataFrame:
        out = self._twins.copy()
        for column in dict.fromkeys(self.table["column"]):
            at = (self.table["column"] == column).to_numpy()
            new = _numbers(out, column)
            new[self.table["row"].to_numpy(dtype=int)[at]] = values[at]
            out[column] = new
        return out


def impute(
    twins: pd.DataFrame,
    wanted: Sequence[str] = IMPUTABLE,
    *,
    file: str = "twins.tsv",
    children: str = "survey",
    model: SurveyModel | None = None,
) -> Imputation:
    """Conditional distributions of everything wanted that is missing.

    Parameters
    ----------
    twins : columns twin_id, sex (M/F), age_y, and any of height_cm, weight_kg, creatinine_mg_dl, haematocrit (1),
        albumin_g_l, ancestry (a 1000 Genomes code or empty), gestational_age_wk. A column that is not there, or NaN,
        is missing. Known columns beyond ``wanted`` are conditioned on.
    wanted : columns to complete. file : name of the sheet in findings. children : as in
        :func:`pharmtwin.body.people.cohort.cohort`.

    Nothing is imputed for a row without age or sex or with a value that is no positive number, nor for an infant born
    before 37 weeks, up to two years; ``findings`` says so as errors (``body.not_imputable``, ``body.number``).

    Raises ValueError for an unknown name in ``wanted``.
    """
    unknown = sorted(set(wanted) - set(IMPUTABLE))
    if unknown:
        raise ValueError(f"cannot impute {unknown}; can: {', '.join(IMPUTABLE)}")
    model, charts = model or survey_model(), children == "charts"
    known, usable, preterm, findings = _known(twins, file)
    for early in np.flatnonzero(usable & preterm):
        names = [c for c in wanted if np.isnan(known[c][early])]
        if names:
            findings.append(_preterm(file, int(early), names))
    usable = usable & ~preterm
    covariance: dict[int, Floats] = {}
    lines: list[dict[str, object]] = []
    female = (twins["sex"] == "F").to_numpy(dtype=bool) if "sex" in twins else np.zeros(len(twins), dtype=bool)
    age = _numbers(twins, "age_y")
    u = np.full((len(twins), 4), np.nan)
    for i, column in enumerate(BODY):
        good = usable & (known[column] > 0)
        u[good, i] = model.score(QUANTITIES[i], known[column][good], age[good], female[good], charts)
    absent = np.isnan(u)
    ask = np.array([c in wanted for c in BODY])
    pattern = (absent * (1 << np.arange(4))).sum(axis=1)
    groups = _groups(twins)
    for code in np.unique(pattern[usable]):
        rows = np.flatnonzero(usable & (pattern == code))
        gone, have = np.flatnonzero(absent[rows[0]] & ask), np.flatnonzero(~absent[rows[0]])
        if not gone.size:
            continue
        mean, cov = _conditional(model, u[rows], have, gone, groups[rows], age[rows], female[rows], charts)
        sd = np.sqrt(np.einsum("nii->ni", cov))
        steps = [
            [model.value(QUANTITIES[q], mean[:, k] + s * sd[:, k], age[rows], female[rows], charts) for s in (-1, 0, 1)]
            for k, q in enumerate(gone)
        ]
        told = ["sex", "age_y", *(BODY[q] for q in have)]
        for r, row in enumerate(rows):
            covariance[int(row)] = cov[r]
            given = ", ".join([*told, *(["ancestry"] if groups[row] else [])])
            for k, q in enumerate(gone):
                low, middle, high = (float(steps[k][s][r]) for s in range(3))
                line = _line(twins, int(row), BODY[q], given, "score", (mean[r, k], sd[r, k]), (low, middle, high))
                lines.append(line)
    if ALBUMIN in wanted:
        rows = np.flatnonzero(usable & ~(known[ALBUMIN] > 0))
        healthy = blood.albumin(age[rows])
        for row, m, s in zip(rows, np.log(healthy.value), np.sqrt(np.log1p(healthy.cv**2))):
            values = (float(np.exp(m - s)), float(np.exp(m)), float(np.exp(m + s)))
            lines.append(_line(twins, int(row), ALBUMIN, "age_y", "log", (m, s), values))
            covariance.setdefault(int(row), np.zeros((0, 0)))
    table = pd.DataFrame(lines, columns=_LINE)
    order = {c: i for i, c in enumerate(IMPUTABLE)}
    table = table.sort_values(["row", "column"], key=lambda x: x.map(order) if x.name == "column" else x)
    table = table.reset_index(drop=True)
    findings += [_imputed(file, {str(k): v for k, v in line.items()}) for line in table.to_dict("records")]
    return Imputation(table, covariance, sorted(findings), twins.reset_index(drop=True), model, charts)


_LINE = ["row", "twin_id", "column", "unit", "given", "scale", "mean", "sd", "low", "median", "high", "log_sd"]


def extreme_findings(
    twins: pd.DataFrame, *, file: str = "twins.tsv", model: SurveyModel | None = None
) -> list[Finding]:
    """Values that no living person has, or that hardly anybody of this age and sex has.

    ``body.impossible`` (error): beyond ``survey_limits.tsv``. ``body.extreme`` (error that a user may accept): height,
    weight, or weight given height beyond 6 sd of the survey at this age and sex. ``body.unlikely`` (warning): the same
    beyond 4 sd, and creatinine or haematocrit beyond 4 sd (these tell disease, so they are never called impossible
    inside the limits). Infants born before 37 weeks are small for their age up to two years: they are never too small
    here, but too tall or too heavy they are by the same limits, above what term infants of that age have.
    """
    model = model or survey_model()
    known, usable, preterm, _ = _known(twins, file)
    number = {name: known[name] for name in IMPUTABLE} | {"age_y": _numbers(twins, "age_y")}
    bmi = body_mass_index(known["weight_kg"], known["height_cm"])
    number["bmi"], number["bmi_preterm"] = np.where(preterm, np.nan, bmi), np.where(preterm, bmi, np.nan)
    found: list[Finding] = []

    gestation = _numbers(twins, "gestational_age_wk")
    maybe_early = np.isnan(gestation) & (number["age_y"] < PRETERM_UNTIL)

    def report(rows: Bools, column: str, rule: str, severity: str, what: list[str]) -> None:
        why = "organ volumes, flows and clearance scale with it"
        if rule == "body.extreme":
            right = f"; if it is right, put {rule} into the column accept"
        else:
            right = "" if severity == "error" else "; leave it if it is right"
        for i in np.flatnonzero(rows):
            early = bool(maybe_early[i]) and " below " in what[i]
            fix = (f"{EARLY}; else " if early else "") + "check value and unit, and the age" + right
            value = twins[column].iloc[i]
            line = dict(row=int(i) + 2, column=column, value=value, severity=severity)
            found.append(Finding.create(rule, file, what[i], why, fix, **line))

    broken = np.zeros(len(twins), dtype=bool)
    for name, (low, high) in limits().items():
        outside = (number[name] < low) | (number[name] > high)
        index = name in ("bmi", "bmi_preterm")
        column = "weight_kg" if index else name
        words = f"outside {low:g} to {high:g}, where the living are"
        text = [f"body mass index {v:.3g} kg/m2 {words}" if index else words for v in number[name]]
        report(outside, column, "body.impossible", "error", text)
        broken |= outside
    rows = np.flatnonzero(usable & ~broken)
    age, female = number["age_y"][rows], (twins["sex"] == "F").to_numpy(dtype=bool)[rows]
    z = {c: model.score(QUANTITIES[i], known[c][rows], age, female) for i, c in enumerate(BODY)}
    r = model.correlation(age, female)[:, 0, 1] if len(rows) else np.zeros(0)
    z["given"] = (z["weight_kg"] - r * z["height_cm"]) / np.sqrt(1 - r**2)
    z["given"][preterm[rows]] = np.nan  # weight for height of term infants does not reach down to their heights
    for name, score in z.items():
        column = "weight_kg" if name == "given" else name
        label = "weight for this height" if name == "given" else "for age and sex"
        full = np.full(len(twins), np.nan)
        full[rows] = score
        text = [f"{label}: {abs(v):.1f} sd {'above' if v > 0 else 'below'} the survey's middle" for v in full]
        sized = name in ("height_cm", "weight_kg", "given")
        full[preterm & ((full < 0) | (not sized))] = np.nan
        beyond = (np.abs(full) > IMPOSSIBLE) & sized
        report(beyond, column, "body.extreme", "error", text)
        report((np.abs(full) > UNLIKELY) & ~beyond, column, "body.unlikely", "warning", text)
    return sorted(found)


def _root(covariance: Floats) -> Floats:
    """Cholesky factor, also of an empty matrix."""
    return np.asarray(np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance))), dtype=np.float64)


def _numbers(twins: pd.DataFrame, column: str) -> Floats:
    if column not in twins:
        return np.full(len(twins), np.nan)
    return pd.to_numeric(twins[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan, copy=True)


def _groups(twins: pd.DataFrame) -> np.ndarray:
    """Survey group of each twin, empty where the ancestry is not told."""
    if "ancestry" not in twins:
        return np.full(len(twins), "", dtype=object)
    return np.array([ancestry_groups().get(str(a), ("", 1.0))[0] for a in twins["ancestry"]], dtype=object)


def _known(twins: pd.DataFrame, file: str) -> tuple[dict[str, Floats], Bools, Bools, list[Finding]]:
    """Numbers by column, rows with age and sex, infants born preterm, and errors for the others."""
    findings = []
    age = _numbers(twins, "age_y")
    sex = twins["sex"].isin(["M", "F"]).to_numpy(dtype=bool) if "sex" in twins else np.zeros(len(twins), dtype=bool)
    aged = (age >= limits()["age_y"][0]) & (age <= limits()["age_y"][1])
    for column, good, fix in (("age_y", aged, "write the age in years"), ("sex", sex, "write M or F")):
        for i in np.flatnonzero(~good):
            what = "missing or not usable, and cannot be imputed"
            why = "every organ, flow and enzyme depends on it"
            findings.append(Finding.create("body.not_imputable", file, what, why, fix, row=int(i) + 2, column=column))
    known = {c: _numbers(twins, c) for c in IMPUTABLE}
    usable = aged & sex
    for column in (c for c in IMPUTABLE if c in twins):
        told = ~(twins[column].isna() | (twins[column].astype(str).str.strip() == "")).to_numpy(dtype=bool)
        broken = told & ~(np.isfinite(known[column]) & (known[column] > 0))
        for i in np.flatnonzero(broken):
            what, why = "not a positive number", "a value that was written wrongly is not a missing one"
            fix, value = "give the measured value, or leave the cell empty", twins[column].iloc[i]
            place = dict(row=int(i) + 2, column=column, value=value)
            findings.append(Finding.create("body.number", file, what, why, fix, **place))
        usable &= ~broken
    preterm = (_numbers(twins, "gestational_age_wk") < PRETERM_WEEKS) & (age < PRETERM_UNTIL)
    return known, usable, preterm, findings


def _conditional(
    model: SurveyModel,
    u: Floats,
    have: np.ndarray,
    gone: np.ndarray,
    group: np.ndarray,
    age: Floats,
    female: Bools,
    charts: bool,
) -> tuple[Floats, Floats]:
    """Mean (n, k) and covariance (n, k, k) of the missing scores given the known ones."""
    centre, sd = model.group_moments(list(group), age, female, charts)
    cov = model.correlation(age, female) * sd[:, :, None] * sd[:, None, :]
    mean, rest = centre[:, gone], cov[:, gone][:, :, gone]
    if have.size:
        cross, inner = cov[:, gone][:, :, have], cov[:, have][:, :, have]
        gain = np.linalg.solve(inner, np.swapaxes(cross, 1, 2))
        mean = mean + np.einsum("nhk,nh->nk", gain, u[:, have] - centre[:, have])
        rest = rest - cross @ gain
    return mean, (rest + np.swapaxes(rest, 1, 2)) / 2


def _line(
    twins: pd.DataFrame,
    row: int,
    column: str,
    given: str,
    scale: str,
    moments: tuple[float, float],
    values: tuple[float, float, float],
) -> dict[str, object]:
    low, middle, high = values
    cells = (row, str(twins["twin_id"].iloc[row]), column, UNIT[column], given, scale, *map(float, moments))
    return dict(zip(_LINE, (*cells, low, middle, high, float(np.log(high / low) / 2))))


def _imputed(file: str, line: dict[str, object]) -> Finding:
    low, middle, high, width = (float(str(line[k])) for k in ("low", "median", "high", "log_sd"))
    what = (
        f"missing; imputed as {middle:.3g} {line['unit']} ({low:.3g} to {high:.3g} at one sd, {100 * width:.0f} %) "
        f"given {line['given']}"
    )
    return Finding.create(
        "body.imputed",
        file,
        what.replace(" 1 (", " ("),
        "the twin is uncertain by that much and is drawn so",
        "measure it if you can",
        row=int(str(line["row"])) + 2,
        column=str(line["column"]),
        severity="warning" if width > 0.35 else "note",
    )


def _preterm(file: str, row: int, names: list[str]) -> Finding:
    what = f"{', '.join(names)} missing for an infant born before {PRETERM_WEEKS:g} weeks, and cannot be imputed"
    why = "the growth charts and reference values here are those of term births"
    return Finding.create(
        "body.not_imputable", file, what, why, "give the measured value", row=row + 2, column=names[0]
    )
