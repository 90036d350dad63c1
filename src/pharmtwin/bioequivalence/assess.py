"""One endpoint under every framework asked for: estimate, variability, limits, verdict, and why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from pharmtwin.bioequivalence.average import method_a, method_b, parallel
from pharmtwin.bioequivalence.linear import Fit, NotEstimable
from pharmtwin.bioequivalence.scaled import (
    Within,
    constants,
    contrasts,
    expanded_limits,
    frameworks,
    ratio_upper,
    scaled_bound,
    within,
)
from pharmtwin.bioequivalence.study import Design, Study, design_of

NAN = float("nan")
#: frameworks by the figures that decide: a confidence interval, or FDA's scaled bound
EXPANDING = ("EMA", "HC", "GCC")
SCALED = ("FDA", "FDA_NTID", "FDA_HVNTID")
#: how FDA's figures are pooled, and the model's name in the table
POOLED = {"sequences": "contrasts by sequence (FDA guidance)", "subjects": "contrasts by subject (PKNCA)"}


@dataclass(frozen=True)
class Row:
    """One framework and model. Ratios, interval and limits in %; variances and ``criterion`` on the log scale.

    ``criterion``: FDA's scaled bound (met at or below 0). ``sw_ratio_upper``: upper bound of sWT/sWR. ``verdict``:
    bioequivalent, not shown, or empty where nothing could be said; ``reason`` says why not.
    """

    endpoint: str
    test: str
    reference: str
    framework: str
    model: str
    design: str
    n_subjects: int
    n_values: int
    ratio: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    df: float = NAN
    se: float = NAN
    residual_variance: float = NAN
    cv_intra: float = NAN
    sw_reference: float = NAN
    cv_reference: float = NAN
    df_reference: float = NAN
    sw_test: float = NAN
    cv_test: float = NAN
    df_test: float = NAN
    limit_low: float = NAN
    limit_high: float = NAN
    criterion: float = NAN
    sw_ratio_upper: float = NAN
    verdict: str = ""
    reason: str = ""


def assess(
    study: Study, wanted: Sequence[str] = (), df: str = "containment", alpha: float = 0.05
) -> tuple[pd.DataFrame, Design]:
    """All rows of one endpoint, and the design. ``wanted``: frameworks (default: all); ``df``: of method B.

    Raises KeyError for an unknown framework.
    """
    for name in wanted:
        constants(name)
    design = design_of(study)
    rows: list[Row] = []
    for framework in wanted or frameworks():
        if framework in SCALED:
            rows += [_scaled(study, design, framework, by, alpha) for by in POOLED]
        else:
            rows += _average(study, design, framework, df, alpha)
    return pd.DataFrame([asdict(r) for r in rows]), design


def _base(study: Study, design: Design, framework: str, model: str) -> dict[str, object]:
    return {
        "endpoint": study.endpoint, "test": study.test, "reference": study.reference, "framework": framework,
        "model": model, "design": design.kind, "n_subjects": study.n_subjects, "n_values": len(study.y),
    }  # fmt: skip


def _point(fit: Fit, alpha: float) -> dict[str, float]:
    low, high = fit.interval(alpha)
    with np.errstate(over="ignore"):  # one degree of freedom: an interval to infinity
        ratio, ci_low, ci_high = (float(100 * np.exp(x)) for x in (fit.estimate, low, high))
    return {"ratio": ratio, "ci_low": ci_low, "ci_high": ci_high, "df": fit.df, "se": fit.se}


def _variability(study: Study, by: str) -> tuple[dict[str, float], dict[str, Within], dict[str, str]]:
    """Columns of both treatments' variability, the values themselves, and why one is missing."""
    out: dict[str, float] = {}
    found: dict[str, Within] = {}
    lacking: dict[str, str] = {}
    for role, name in (("reference", study.reference), ("test", study.test)):
        try:
            w = within(study, name, by)
        except NotEstimable as error:
            lacking[role] = str(error)
            continue
        found[role] = w
        out |= {f"sw_{role}": w.sw, f"cv_{role}": w.cv, f"df_{role}": float(w.df)}
    return out, found, lacking


def rounded_inside(low: float, high: float, limits: tuple[float, float]) -> bool:
    """Whether an interval in % lies within limits, all rounded to two decimals as the guidelines do."""
    return round(low, 2) >= round(limits[0], 2) and round(high, 2) <= round(limits[1], 2)


def _verdict(failed: list[str]) -> dict[str, str]:
    return {"verdict": "not shown" if failed else "bioequivalent", "reason": "; ".join(failed)}


def _outside(point: dict[str, float], limits: tuple[float, float]) -> list[str]:
    if rounded_inside(point["ci_low"], point["ci_high"], limits):
        return []
    return [f"the interval is not within {limits[0]:.2f} to {limits[1]:.2f} %"]


def _ratio_outside(point: dict[str, float], framework: str) -> list[str]:
    c = constants(framework)
    inside = rounded_inside(point["ratio"], point["ratio"], (c["limit_low"], c["limit_high"]))
    return [] if inside else [f"the ratio is not within {c['limit_low']:.2f} to {c['limit_high']:.2f} %"]


# ---- frameworks that rest on a confidence interval


def _average(study: Study, design: Design, framework: str, df: str, alpha: float) -> list[Row]:
    if design.kind == "parallel":
        models = {"Welch": lambda: parallel(study), "equal variances": lambda: parallel(study, equal_variances=True)}
    else:
        models = {
            "A (subjects fixed)": lambda: method_a(study),
            f"B (subjects random, {df})": lambda: method_b(study, df),
        }
    spread, found, lacking = _variability(study, "subjects")
    out = []
    for model, run in models.items():
        base = _base(study, design, framework, model)
        try:
            fit = run()
        except NotEstimable as error:
            out.append(Row(**base, reason=str(error)))  # type: ignore[arg-type]
            continue
        shown = {**base, **spread, **_point(fit, alpha), "residual_variance": fit.mse}
        if design.kind != "parallel":
            shown["cv_intra"] = 100 * np.sqrt(np.expm1(fit.mse))
        if framework in EXPANDING and "reference" not in found:
            why = f"{framework} scales by the reference's variability: {lacking['reference']}"
            out.append(Row(**shown, reason=why))  # type: ignore[arg-type]
            continue
        c = constants(framework)
        limits = (c["limit_low"], c["limit_high"])
        if framework in EXPANDING:
            limits = expanded_limits(found["reference"].sw, framework)
        point = _point(fit, alpha)
        failed = _outside(point, limits) + (_ratio_outside(point, framework) if framework in EXPANDING else [])
        out.append(Row(**shown, limit_low=limits[0], limit_high=limits[1], **_verdict(failed)))  # type: ignore[arg-type]
    return out


# ---- FDA's scaled criteria


def _scaled(study: Study, design: Design, framework: str, by: str, alpha: float) -> Row:
    base = _base(study, design, framework, POOLED[by])
    spread, found, lacking = _variability(study, by)
    needs = ("reference",) if framework == "FDA" else ("reference", "test")
    try:
        fit = contrasts(study, by)
    except NotEstimable as error:
        return Row(**base, **spread, reason=str(error))  # type: ignore[arg-type]
    point = _point(fit, alpha)
    shown = {**base, **spread, **point, "residual_variance": fit.mse}
    missing = [lacking[role] for role in needs if role in lacking]
    if missing:
        why = f"{framework} needs the variability of {' and '.join(needs)}: {'; '.join(missing)}"
        return Row(**shown, reason=why)  # type: ignore[arg-type]
    c = constants(framework)
    limits = (c["limit_low"], c["limit_high"])
    reference = found["reference"]
    failed = _ratio_outside(point, framework)
    if framework == "FDA" and reference.sw < c["sw_switch"]:
        failed = _outside(point, limits) + failed
        return Row(**shown, limit_low=limits[0], limit_high=limits[1], **_verdict(failed))  # type: ignore[arg-type]
    extra = {"criterion": NAN, "sw_ratio_upper": NAN, "limit_low": NAN, "limit_high": NAN}
    if framework != "FDA_HVNTID":
        extra["criterion"] = scaled_bound(fit, reference, framework, alpha)
        failed += [] if extra["criterion"] <= 0 else ["the scaled bound is above 0"]
    if framework != "FDA":
        extra |= {"sw_ratio_upper": ratio_upper(found["test"], reference, alpha), "limit_low": limits[0],
                  "limit_high": limits[1]}  # fmt: skip
        failed += _outside(point, limits)
        cap = c["sw_ratio_cap"]
        failed += [] if extra["sw_ratio_upper"] <= cap else [f"the upper bound of sWT/sWR is above {cap:g}"]
    return Row(**shown, **extra, **_verdict(failed))  # type: ignore[arg-type]
