"""Uncertain inputs that drug files declare: typical values that are not known, and what differs between people.

Schema 2: ``cv`` of a value (sd of the logarithm of what is typical) and ``between_subject``. A Weibull shape decides
the structure of the model and is not varied. Schema 1: ``uncertainty`` and ``between_subject`` of four values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pharmtwin.core.drug import VARIABLE
from pharmtwin.core.drug import Drug as TwinDrug
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.values import quantities
from pharmtwin.uncertainty.inputs import Input, factor
from pharmtwin.uncertainty.spread import Spread, enzyme_sds, residual

BETWEEN = "between people"
STRUCTURAL = ".shape"


def _named(drug: Drug, path: str) -> str:
    """Name of a value among all drugs: its path, without the compound that has the drug's own name."""
    return f"{drug.name}:{path.removeprefix(f'compounds.{drug.name}.')}"


def value_inputs(drug: Drug) -> tuple[Input, ...]:
    """What is not known of the drug's typical values; ``acts_on`` is the value's path."""
    return tuple(
        factor(_named(drug, path), q.cv, "drug", path, q.source, unit=q.unit, typical=q.value)
        for path, q in quantities(drug).items()
        if q.cv > 0 and not path.endswith(STRUCTURAL)
    )


def between_inputs(drug: Drug) -> tuple[Input, ...]:
    """What differs between people of equal genotype and body; ``acts_on`` is the value's path."""
    return tuple(
        factor(f"{_named(drug, path)} {BETWEEN}", q.between_subject, "people", path, q.source, unit=q.unit,
               typical=q.value)
        for path, q in quantities(drug).items()
        if q.between_subject > 0 and not path.endswith(STRUCTURAL)
    )  # fmt: skip


def turnover_inputs(drugs: Sequence[Drug], spread: Spread) -> tuple[Input, ...]:
    """Turnover of every enzyme that a drug inactivates; ``acts_on`` is the enzyme."""
    targets = {a.target for d in drugs for c in d.compounds for a in c.acts_on if a.mechanism == "inactivation"}
    source = "resources/qualification/plan.yaml, spread turnover"
    return tuple(factor(f"turnover:{t}", spread.turnover, "drug", t, source, unit="1/h") for t in sorted(targets))


def molecule_inputs(
    drugs: Sequence[Drug], spread: Spread, genotyped: Mapping[str, object] | Sequence[str] = ()
) -> tuple[Input, ...]:
    """Spread between people of what handles the drugs; ``acts_on`` is the enzyme or transporter.

    An enzyme: content per microsomal protein and protein per gram of liver; else ``spread.transporter``. Where the
    genotype is known (``genotyped``) at most ``spread.within_genotype`` is left.
    """
    molecules = {p.enzyme for d in drugs for c in d.compounds for p in c.paths if p.enzyme}
    molecules |= {t.transporter for d in drugs for c in d.compounds for t in c.transport}
    enzymes, out = enzyme_sds(), []
    for molecule in sorted(molecules):
        sd = enzymes.get(molecule, spread.transporter)
        source = "resources/physiology/abundance.tsv and variability.tsv (MPPGL)"
        if molecule not in enzymes:
            source = "resources/qualification/plan.yaml, spread transporter"
        if molecule in genotyped and spread.within_genotype < sd:
            sd, source = spread.within_genotype, "resources/qualification/plan.yaml, spread within_genotype"
        out.append(factor(f"activity:{molecule}", sd, "people", molecule, source))
    return tuple(out)


def organ_inputs(spread: Spread) -> tuple[Input, ...]:
    """Liver volume and GFR between people of one age and size; ``acts_on`` is the quantity of table ``body``."""
    return (
        residual("volume.liver", "V_liver"),
        factor("gfr", spread.gfr, "people", "GFR", "resources/qualification/plan.yaml, spread gfr"),
    )


def twin_value_inputs(drug: TwinDrug) -> tuple[Input, ...]:
    """Schema 1: uncertainty of the four estimated values, then their spread between people; ``acts_on`` is the key."""
    found = {**{k: drug.values[k] for k in VARIABLE}, "absorption.MTT": drug.formulation("IR")["MTT"]}
    known = [
        factor(key, v.uncertainty or 0.0, "drug", key, v.source, unit=v.unit, typical=v.value)
        for key, v in found.items()
    ]
    between = [
        factor(f"{key} {BETWEEN}", v.between_subject or 0.0, "people", key, v.source, unit=v.unit, typical=v.value)
        for key, v in found.items()
    ]
    return (*known, *between)
