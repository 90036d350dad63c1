"""Children's clearance predicted from adults' by size and maturation, against published values. Nothing is fitted.

Per route, for a drug with adult clearance CL (mL/min of the reference adult) and shares f of it:

* GFR: f CL x GFR of the child / GFR of the adult x fu / fu of the adult;
* CYP3A4: well-stirred liver. The adult's share, as blood clearance, gives CLint (of unbound drug); the child's CLint is
  that times CYP3A4 of its liver (per gram x grams) over the adult's; hepatic blood flow, fu and blood:plasma ratio are
  the child's;
* other: in proportion to weight^0.75.

Facts stand in ``observed/pediatric_clearance.tsv`` (children), ``..._adults.tsv`` (their reference) and
``..._drugs.tsv`` (shares, binding); adults' drawn curves in ``pediatric_clearance_profiles``. The body comes in as a
function, so that another one can be put in its place.
Criteria and how values were chosen: docs/pediatric-clearance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.body.anatomy.flows import HEPATIC, cardiac_output, organ_flows
from pharmtwin.body.anatomy.organs import organ_masses
from pharmtwin.body.anatomy.reference import reference
from pharmtwin.body.content.blood import agp, albumin, haematocrit, protein_ratios
from pharmtwin.body.content.liver import enzyme_per_gram
from pharmtwin.body.kidney.function import typical_gfr
from pharmtwin.core.ages import TERM_WEEKS
from pharmtwin.core.binding import blood_to_plasma, fraction_unbound
from pharmtwin.evaluation.metrics import Estimate, cluster_bootstrap_mean, log_ratio
from pharmtwin.facts import fact_table

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CHILDREN = "observed/pediatric_clearance.tsv"
ADULTS = "observed/pediatric_clearance_adults.tsv"
DRUGS = "observed/pediatric_clearance_drugs.tsv"
#: of a reference adult whose study does not tell them (half of them women, 70 kg: own choice)
ADULT_AGE, ADULT_WEIGHT, ADULT_FEMALE_SHARE = 30.0, 70.0, 0.5
SIZE_POWER = 0.75  # of the routes that are neither filtration nor CYP3A4
SEED, RESAMPLES = 20261122, 10_000
#: the criterion of the issue: at most this GMFE, at least this share within 2-fold, judged from this many values on
TARGET_GMFE, TARGET_WITHIN_2, FEWEST = 1.30, 0.95, 10
BANDS = ((0.0, 1 / 12, "birth-1 month"), (1 / 12, 1.0, "1-12 months"), (1.0, 2.0, "1-2 y"), (2.0, 6.0, "2-6 y"),
         (6.0, 12.0, "6-12 y"), (12.0, 18.0, "12-18 y"))  # fmt: skip
PRETERM = "preterm"
GROUPS = ("GFR", "CYP3A4")


@dataclass(frozen=True)
class Body:
    """What the scaling needs of n people; arrays (n,).

    Attributes
    ----------
    gfr : mL/min of this body. hepatic_flow : blood flow of the liver, mL/min. cyp3a4 : nmol in the whole liver.
    albumin, agp : relative to the healthy adult (1). haematocrit : volume fraction. weight : kg.
    """

    gfr: Floats
    hepatic_flow: Floats
    cyp3a4: Floats
    albumin: Floats
    agp: Floats
    haematocrit: Floats
    weight: Floats


#: age (y), female, weight (kg), height (cm), gestational age (weeks) -> Body, all (n,)
BodyModel = Callable[[Floats, Bools, Floats, Floats, Floats], Body]


def body_of(
    age_y: Floats,
    female: Bools,
    weight_kg: Floats,
    height_cm: Floats,
    gestational_age_wk: Floats,
    curve: str | None = None,
    protein: str | None = None,
    agp_source: str | None = None,
) -> Body:
    """The body by our own modules, healthy, no marker of kidney function known.

    ``curve`` (maturation of CYP3A4), ``protein`` (MPPGL) and ``agp_source`` name other sources; None is the default of
    each. Where height is NaN (preterm infants) the liver and its flow are NaN; GFR of an infant needs no height.
    """
    known = np.isfinite(height_cm)
    liver_g, flow = np.full(age_y.shape, np.nan), np.full(age_y.shape, np.nan)
    if known.any():
        a, f, w, h = age_y[known], female[known], weight_kg[known], height_cm[known]
        liver_g[known] = 1000.0 * organ_masses(w, h, a, f).mass[:, reference().organs.index("liver")]
        names, flows = organ_flows(cardiac_output(w, h, a, f), a, f)
        flow[known] = flows[:, [names.index(organ) for organ in HEPATIC]].sum(axis=1) * 1000.0 / 60.0
    ratio = protein_ratios(albumin(age_y, gestational_age_wk).value, agp(age_y, None, agp_source).value)
    content = enzyme_per_gram("CYP3A4", age_y, gestational_age_wk, curve, protein=protein)
    return Body(
        gfr=typical_gfr(age_y, female, weight_kg, height_cm, gestational_age_wk),
        hepatic_flow=flow,
        cyp3a4=content * liver_g / 1000.0,
        albumin=ratio["albumin"],
        agp=ratio["AGP"],
        haematocrit=haematocrit(age_y, female, gestational_age_wk).value,
        weight=weight_kg,
    )


def mean_of_sexes(
    model: BodyModel, female_share: Floats, age: Floats, weight: Floats, height: Floats, weeks: Floats
) -> Body:
    """Every quantity as the mean of woman and man with these shares (1 or 0 where the sex is known)."""
    woman = model(age, np.ones(age.shape, dtype=bool), weight, height, weeks)
    man = model(age, np.zeros(age.shape, dtype=bool), weight, height, weeks)

    def mean(name: str) -> Floats:
        return np.asarray(female_share * getattr(woman, name) + (1.0 - female_share) * getattr(man, name))

    return Body(**{field.name: mean(field.name) for field in fields(Body)})


@dataclass(frozen=True)
class Drug:
    """Adult facts of a drug: shares of clearance (1), fu, binding protein, blood:plasma ratio; clearance of its adult
    reference (mL/min/kg) and that adult's age (y), weight (kg), share of women."""

    name: str
    group: str
    f_gfr: float
    f_cyp3a4: float
    f_other: float
    fu: float
    protein: str
    blood_to_plasma: float
    clearance: float
    age: float
    weight: float
    female_share: float


def drugs(studies: pd.DataFrame | None = None) -> dict[str, Drug]:
    """Drugs by name; the adult reference is the mean over the studies used, each weighted by its n.

    ``studies``: another table of adult studies, of the same columns. Raises ValueError if the shares of a drug do not
    sum to 1 or it has no adult study.
    """
    studies = fact_table(ADULTS) if studies is None else studies
    studies = studies[studies["used"] == "yes"]
    out = {}
    for _, row in fact_table(DRUGS).iterrows():
        mine = studies[studies["drug"] == row["drug"]]
        if mine.empty or abs(float(row["f_GFR"] + row["f_CYP3A4"] + row["f_other"]) - 1.0) > 1e-9:
            raise ValueError(f"{row['drug']}: no adult study, or shares of clearance that do not sum to 1")
        n = mine["n"].to_numpy(dtype=float)

        def mean(column: str, unknown: float, mine: pd.DataFrame = mine, n: Floats = n) -> float:
            values = mine[column].to_numpy(dtype=float, na_value=np.nan)
            return float(np.average(np.where(np.isnan(values), unknown, values), weights=n))

        out[str(row["drug"])] = Drug(
            name=str(row["drug"]),
            group=str(row["group"]),
            f_gfr=float(row["f_GFR"]),
            f_cyp3a4=float(row["f_CYP3A4"]),
            f_other=float(row["f_other"]),
            fu=float(row["fu"]),
            protein=str(row["binding_protein"]),
            blood_to_plasma=float(row["blood_to_plasma"]),
            clearance=mean("CL_mL_min_kg", np.nan),
            age=mean("age_y", ADULT_AGE),
            weight=mean("weight_kg", ADULT_WEIGHT),
            female_share=mean("female_share", ADULT_FEMALE_SHARE),
        )
    return out


def unbound(drug: Drug, body: Body) -> Floats:
    """Unbound fraction in plasma of these people; 1 for a drug that is not bound."""
    if drug.protein == "none":
        return np.ones(body.weight.shape)
    return fraction_unbound(drug.fu, drug.protein, {"albumin": body.albumin, "AGP": body.agp})


def scaled_clearance(drug: Drug, child: Body, adult: Body) -> Floats:
    """Plasma clearance of children (mL/min, shape of ``child``) from that of the drug's reference adult (``adult``: 1).

    Raises ValueError if the adult's clearance by the liver exceeds its blood flow.
    """
    whole = drug.clearance * adult.weight
    fu, fu_adult = unbound(drug, child), unbound(drug, adult)
    total = drug.f_gfr * whole * child.gfr / adult.gfr * fu / fu_adult
    total = total + drug.f_other * whole * (child.weight / adult.weight) ** SIZE_POWER
    if drug.f_cyp3a4 == 0:
        return total
    ratio_adult = blood_to_plasma(drug.blood_to_plasma, drug.fu, fu_adult, adult.haematocrit, adult.haematocrit)
    ratio = blood_to_plasma(drug.blood_to_plasma, drug.fu, fu, child.haematocrit, adult.haematocrit)
    blood = drug.f_cyp3a4 * whole / ratio_adult
    if (blood >= adult.hepatic_flow).any():
        raise ValueError(f"{drug.name}: adult hepatic clearance {blood} is not below hepatic blood flow")
    clint = blood / (fu_adult / ratio_adult * (1.0 - blood / adult.hepatic_flow))
    power = fu / ratio * clint * child.cyp3a4 / adult.cyp3a4
    return total + ratio * child.hepatic_flow * power / (child.hepatic_flow + power)


def adult_height(female_share: float) -> float:
    """Height (cm) of the reference adults (176 and 163), by their shares."""
    men, women = reference().height
    return float(female_share * women + (1.0 - female_share) * men)


#: drug, children, reference adult (1) -> clearance of the children (mL/min)
Scaling = Callable[[Drug, Body, Body], Floats]


@dataclass(frozen=True)
class Pair:
    """The children of one drug and its reference adult: row numbers in the table, bodies."""

    drug: Drug
    rows: NDArray[np.int_]
    child: Body
    adult: Body


def prepared(model: BodyModel = body_of, facts: dict[str, Drug] | None = None) -> tuple[pd.DataFrame, list[Pair]]:
    """The children's values that are used, with ``flow`` (hepatic blood flow, mL/min/kg) and ``band``, and the bodies
    of each drug. Order of the table; ``facts``: other adult facts than those of :func:`drugs`."""
    table = fact_table(CHILDREN)
    rows = table[table["used"] == "yes"].reset_index(drop=True)
    age, weight, height_cm = (
        rows[c].to_numpy(dtype=float, na_value=np.nan) for c in ("age_y", "weight_kg", "height_cm")
    )
    weeks = rows["gestational_age_wk"].to_numpy(dtype=float, na_value=np.nan)
    weeks = np.where(np.isnan(weeks), TERM_WEEKS, weeks)
    share = rows["sex"].map({"F": 1.0, "M": 0.0}).to_numpy(dtype=float, na_value=np.nan)
    child = mean_of_sexes(model, np.where(np.isnan(share), 0.5, share), age, weight, height_cm, weeks)
    rows["flow"] = child.hepatic_flow / child.weight
    rows["band"] = [band(a, w) for a, w in zip(age, weeks)]
    pairs = []
    for name, drug in (facts or drugs()).items():
        mine = np.flatnonzero((rows["drug"] == name).to_numpy(dtype=bool))
        height = adult_height(drug.female_share)
        one = [np.array([v]) for v in (drug.female_share, drug.age, drug.weight, height, TERM_WEEKS)]
        adult = mean_of_sexes(model, one[0], one[1], one[2], one[3], one[4])
        pairs.append(Pair(drug, mine, Body(**{f.name: getattr(child, f.name)[mine] for f in fields(Body)}), adult))
    return rows, pairs


def predictions(
    model: BodyModel = body_of, scaling: Scaling = scaled_clearance, facts: dict[str, Drug] | None = None
) -> pd.DataFrame:
    """The values of :func:`prepared` with ``predicted`` (mL/min/kg) and ``ratio`` (predicted/observed).

    Raises ValueError if one cannot be predicted.
    """
    rows, pairs = prepared(model, facts)
    predicted = np.full(len(rows), np.nan)
    for pair in pairs:
        predicted[pair.rows] = scaling(pair.drug, pair.child, pair.adult) / pair.child.weight
    if not np.isfinite(predicted).all():
        raise ValueError(f"not predicted: rows {rows.loc[~np.isfinite(predicted), 'id'].tolist()} of {CHILDREN}")
    rows["predicted"] = predicted
    rows["ratio"] = predicted / rows["CL_mL_min_kg"].to_numpy(dtype=float)
    return rows


def band(age_y: float, gestational_age_wk: float) -> str:
    """Age band of a value, ``preterm`` below 37 weeks of gestation."""
    if gestational_age_wk < 37.0:
        return PRETERM
    return next(name for low, high, name in BANDS if low <= age_y < high)


@dataclass(frozen=True)
class Judgement:
    """Figures of one group: GMFE, shares within 1.5 and 2-fold, average fold error (bias), with 95 % intervals.

    The intervals resample studies (nan below five studies: too few to say how studies differ).
    """

    n: int
    studies: int
    gmfe: Estimate
    within_2: Estimate
    within_1_5: Estimate
    bias: Estimate

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or ``reported, not judged`` below :data:`FEWEST` values."""
        if self.n < FEWEST:
            return "reported, not judged"
        met = self.gmfe.value <= TARGET_GMFE and self.within_2.value >= TARGET_WITHIN_2
        return "met" if met else "missed"


def judge(predicted: Floats, observed: Floats, studies: NDArray[np.str_]) -> Judgement:
    """Figures of predictions against observations, shape (n,); each value counts the same, studies are resampled."""
    logs = log_ratio(predicted, observed)
    size = np.abs(logs)

    def estimate(values: Floats, exponential: bool) -> Estimate:
        draws = cluster_bootstrap_mean(values, studies, np.random.default_rng(SEED), RESAMPLES)
        value, low, high = float(values.mean()), *np.percentile(draws, (2.5, 97.5))
        low, high = float(low), float(high)
        if exponential:
            value, low, high = (float(np.exp(v)) for v in (value, low, high))
        return Estimate(value, low, high, len(values))

    return Judgement(
        n=len(logs),
        studies=len(set(studies)),
        gmfe=estimate(size, True),
        within_2=estimate((size <= np.log(2.0) + 1e-12).astype(float), False),
        within_1_5=estimate((size <= np.log(1.5) + 1e-12).astype(float), False),
        bias=estimate(logs, True),
    )


def judge_rows(rows: pd.DataFrame, column: str = "predicted") -> Judgement:
    """:func:`judge` on rows of :func:`predictions`."""
    observed = rows["CL_mL_min_kg"].to_numpy(dtype=float)
    return judge(rows[column].to_numpy(dtype=float), observed, rows["study"].to_numpy(dtype=str))
