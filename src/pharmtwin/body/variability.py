"""Residual variability: how people of one age, sex and size differ in organs, flows, enzymes and GFR.

Every quantity has a log-normal factor of median 1. Spreads, with alternatives by name, stand in
``physiology/variability.tsv`` (enzymes and protein per gram of liver: ``abundance.tsv``; GFR: the person's own
estimate), correlations in ``variability_correlations.tsv``. Comparison with published ranges: docs/variability.md.

* *Random numbers* are named by master seed and twin id. Of each of a twin's draws a quantity takes the normal number
  of its ``stream``, so nothing changes when other twins, more draws or other quantities are asked for.
* *Masses*: organs times factor; adipose takes what is left of body mass, as in :mod:`pharmtwin.body.anatomy.organs`.
* *Flows*: cardiac output has a factor, and each organ's conductance; organs in parallel share the output in proportion.
* An organ's flow does not follow its mass. If it did, the spread of liver mass (18 %) would enter liver flow, and with
  that of cardiac output (14 %) give 23 %; measured is 15 % (Zoli 1999, DOI 10.1093/ageing/28.1.29, under 45 years).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pharmtwin.body.anatomy.composition import least_adipose
from pharmtwin.body.anatomy.reference import BLOOD, REST, reference
from pharmtwin.body.content.liver import abundance, protein_cv
from pharmtwin.body.equations import Bools, Floats
from pharmtwin.body.kidney.equations import kidney_coefficients
from pharmtwin.core.seeds import generator
from pharmtwin.facts import fact_table

TABLE = "physiology/variability.tsv"
CORRELATIONS = "physiology/variability_correlations.tsv"
STAGE = "body"
#: normal numbers that every draw of a twin takes, whether or not a quantity uses them
STREAMS = 128
GFR = "gfr"
#: words of the table for a spread that stands in abundance.tsv
FROM_ABUNDANCE = "abundance_table"


def sd_log_of_cv(cv: float) -> float:
    """Sd of the logarithm of a log-normal quantity from its coefficient of variation."""
    return float(np.sqrt(np.log1p(cv * cv)))


def residual_sds(choices: Mapping[str, str] | None = None) -> dict[str, float]:
    """Sd of the logarithm by quantity, in the order of the table; NaN for ``gfr``, whose sd is the person's own.

    ``choices``: quantity -> source to use instead of the default one (``cardiac_output`` -> ``rusinaru_2021``).
    Raises KeyError for a quantity or a source that the table does not have.
    """
    table, choices = fact_table(TABLE), dict(choices or {})
    unknown = sorted(set(choices) - set(table["quantity"]))
    if unknown:
        raise KeyError(f"{TABLE} has no {', '.join(unknown)}")
    sds = {}
    for quantity, rows in table.groupby("quantity", sort=False):
        wanted = choices.get(str(quantity))
        found = rows[rows["default"] == 1] if wanted is None else rows[rows["choice"] == wanted]
        if len(found) != 1:
            raise KeyError(f"{TABLE}: {quantity} has no source {wanted!r}; it has {', '.join(rows['choice'])}")
        row = found.iloc[0]
        if row["choice"] == FROM_ABUNDANCE:
            sds[str(quantity)] = sd_log_of_cv(_abundance_cv(str(quantity)))
        else:
            sds[str(quantity)] = np.nan if quantity == GFR else float(row["sd_log"])
    return sds


def _abundance_cv(quantity: str) -> float:
    kind, _, enzyme = quantity.partition(".")
    if not enzyme:
        return protein_cv(quantity)
    return abundance(enzyme, "gut" if kind == "enzyme_gut" else "liver").cv


def correlation_matrix(quantities: Sequence[str]) -> Floats:
    """Correlations of the logarithms of the factors (k, k); ranks turned by 2 sin(pi r / 6), pairs not listed 0.

    Raises ValueError if the matrix is not positive definite: correlations from different studies need not agree, and
    nothing is repaired in silence.
    """
    at = {name: i for i, name in enumerate(quantities)}
    matrix = np.eye(len(at))
    for row in fact_table(CORRELATIONS).to_dict("records"):
        a, b = str(row["quantity_a"]), str(row["quantity_b"])
        if a in at and b in at:
            r = float(row["correlation"])
            value = 2.0 * np.sin(np.pi * r / 6.0) if row["statistic"] == "spearman" else r
            matrix[at[a], at[b]] = matrix[at[b], at[a]] = value
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest <= 1e-6:
        raise ValueError(f"{CORRELATIONS}: not positive definite, smallest eigenvalue {smallest:.3g}")
    return matrix


def residual_factors(
    twin_ids: Sequence[str],
    n: int,
    master_seed: int,
    *,
    gfr_sd_log: ArrayLike | None = None,
    choices: Mapping[str, str] | None = None,
) -> dict[str, Floats]:
    """Draw factors on what the covariates predict.

    Parameters
    ----------
    twin_ids : names; the same name gets the same draws wherever it stands.
    n : draws of each twin; the first ones are the same however many follow.
    master_seed : master seed of the run.
    gfr_sd_log : (n_twins,) ``KidneyFunction.sd_log``, or of :func:`healthy_gfr` for people known to be healthy; None:
        no factor of GFR is returned. NaN gives NaN.
    choices : as in :func:`residual_sds`.

    Returns
    -------
    quantity -> (n_twins, n), median 1: ``volume.<organ>`` (``volume.blood`` for both bloods), ``cardiac_output``,
    ``flow.<organ>`` (conductance), ``enzyme.<name>``, ``enzyme_gut.CYP3A4``, ``MPPGL``, ``CPPGL``, ``gfr``.

    An enzyme's spread holds that of its gene where ``cv_source`` of ``abundance.tsv`` says so: a twin whose
    genotype sets the enzyme must not take it as well.
    """
    if n < 1:
        raise ValueError(f"n is {n}; at least one draw is needed")
    sds = residual_sds(choices)
    slots = fact_table(TABLE).drop_duplicates("quantity").set_index("quantity")["stream"].astype(int)
    if slots.duplicated().any() or not slots.between(0, STREAMS - 1).all():
        raise ValueError(f"{TABLE}: every quantity needs a stream of its own within 0-{STREAMS - 1}")
    columns = [int(slots[name]) for name in sds]
    drawn = np.empty((len(twin_ids), n, len(sds)))
    for i, twin in enumerate(twin_ids):
        drawn[i] = generator(master_seed, STAGE, twin).standard_normal((n, STREAMS))[:, columns]
    normal = {name: drawn[..., k] for k, name in enumerate(sds)}
    normal |= _correlated(normal)
    factors = {}
    for name, sd in sds.items():
        if name != GFR:
            factors[name] = np.exp(sd * normal[name])
        elif gfr_sd_log is not None:
            own = np.broadcast_to(np.asarray(gfr_sd_log, dtype=float), (len(twin_ids),))
            factors[name] = np.exp(own[:, None] * normal[name])
    return factors


def healthy_gfr(typical: ArrayLike, estimated: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Median GFR of people known to be healthy, and sd of the logarithm about it (the ``gfr_sd_log`` of their draws).

    ln G = ln typical + rho tau/s (ln(estimated/typical) - offset) + tau sqrt(1 - rho^2) z: healthy people of one age
    vary by tau in all, and their creatinine, much of it muscle, tells a share rho^2 of that variance. For one patient
    of unknown health the equation's own residual stands (``KidneyFunction``): he may be ill. Coefficients:
    ``healthy_population`` of ``kidney.tsv``.

    Parameters
    ----------
    typical : of :func:`pharmtwin.body.kidney.function.typical_gfr`, (n,).
    estimated : from creatinine, in the unit of ``typical``; None or NaN: no creatinine, and tau is all.
    """
    c = kidney_coefficients("healthy_population")
    middle = np.asarray(typical, dtype=float)
    seen = np.full(middle.shape, np.nan) if estimated is None else np.asarray(estimated, dtype=float)
    slope = c["rho"] * c["tau"] / c["sd_estimate"]
    shift = slope * (np.log(seen / middle) - c["offset"])
    known = ~np.isnan(seen)
    sd = np.where(known, c["tau"] * np.sqrt(1.0 - c["rho"] ** 2), c["tau"])
    return middle * np.exp(np.where(known, shift, 0.0)), np.where(np.isnan(middle), np.nan, sd)


def _correlated(normal: Mapping[str, Floats]) -> dict[str, Floats]:
    """The quantities that have correlations, correlated. Each is a sum over those before it, term by term: the same to
    the last bit however many people are drawn."""
    table = fact_table(CORRELATIONS)
    names = [name for name in normal if name in {*table["quantity_a"], *table["quantity_b"]}]
    root = np.linalg.cholesky(correlation_matrix(names))
    return {name: np.sum([root[k, j] * normal[names[j]] for j in range(k + 1)], axis=0) for k, name in enumerate(names)}


@dataclass(frozen=True)
class Varied:
    """Bodies with their residual variability; leading axes (n,) or (n_twins, n_draws) as the factors have.

    Attributes
    ----------
    mass : (..., n_organs) kg in the order of ``reference().organs``; sums to the body mass that came in.
    flow : (..., n_flows) L/h in the order of :func:`pharmtwin.body.anatomy.flows.organ_flows`; organs sum to cardiac
        output.
    cardiac_output : (...) L/h.
    liver_flow : (...) L/h, hepatic artery and portal vein: liver, gut, pancreas and spleen.
    shrink : (...) factor on muscle and ``rest``, 1 unless the drawn organs left less than essential fat.
    """

    mass: Floats
    flow: Floats
    cardiac_output: Floats
    liver_flow: Floats
    shrink: Floats


def vary(
    mass: Floats, flow: Floats, output_L_per_h: Floats, factors: Mapping[str, Floats], age_y: Floats, female: Bools
) -> Varied:
    """Apply factors to the masses and flows that the covariates predict.

    Parameters
    ----------
    mass : (n, n_organs) kg, ``OrganMasses.mass``. flow : (n, n_flows) L/h, of ``organ_flows``.
    output_L_per_h, age_y, female : (n,).
    factors : of :func:`residual_factors`, each (n,) or (n, n_draws); a quantity that is not there is left as it is.

    Raises
    ------
    ValueError : muscle and ``rest`` are too small to make room for the other organs.
    """
    organs = reference().organs
    draws = factors[next(iter(factors))].ndim - 1 if factors else 0
    lead = (slice(None),) + (None,) * draws
    mass, flow = np.asarray(mass)[lead], np.asarray(flow)[lead]
    output, floor = np.asarray(output_L_per_h)[lead], least_adipose(age_y, female)[lead]

    def named(prefix: str, organs: Sequence[str]) -> Floats:
        """Factors of these organs along the last axis, 1 where there is none."""
        return np.stack([np.broadcast_to(factors.get(f"{prefix}.{o}", 1.0), shape) for o in organs], axis=-1)

    total = mass.sum(axis=-1)
    shape = np.broadcast_shapes(total.shape, *(f.shape for f in factors.values()))
    varied = mass * named("volume", ["blood" if organ in BLOOD else organ for organ in organs])
    fat, yielding = organs.index("adipose"), [organs.index("muscle"), organs.index(REST)]
    varied[..., fat] = 0.0
    surplus = np.maximum(varied.sum(axis=-1) - total * (1.0 - floor), 0.0)
    shrink = 1.0 - surplus / varied[..., yielding].sum(axis=-1)
    if (shrink <= 0).any():
        raise ValueError(f"{(shrink <= 0).sum()} bodies: the drawn organs do not fit into body mass")
    varied[..., yielding] *= shrink[..., None]
    varied[..., fat] = total - varied.sum(axis=-1)

    names = [organ for organ in organs if organ not in BLOOD]
    whole = output * factors.get("cardiac_output", 1.0)
    pull = flow * named("flow", names)
    lung = names.index("lung")
    pull[..., lung] = 0.0
    shared = pull * (whole / pull.sum(axis=-1))[..., None]
    shared[..., lung] = whole
    hepatic = shared[..., [names.index(organ) for organ in ("liver", "gut", "pancreas", "spleen")]].sum(axis=-1)
    return Varied(varied, shared, whole, hepatic, shrink)
