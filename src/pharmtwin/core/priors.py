"""Priors of the population model on the log scale, from the drug file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.assembly import between_subject, typical_individual, typical_uncertainty
from pharmtwin.core.draws import Population, prior_population
from pharmtwin.core.drug import Drug

Floats = NDArray[np.float64]
#: sd of the logarithm of the priors on omega and sigma: a factor of 2.3 either way holds 90 %
OMEGA_SPREAD = 0.5


@dataclass(frozen=True)
class PopulationPriors:
    """In the order of ``core.whole_body.INDIVIDUAL``.

    ``typical`` median of the typical values (natural scale), ``uncertainty`` sd of their logarithm,
    ``omega`` prior medians of the between-subject sd, ``sigma`` prior median of the residual sd.
    """

    typical: Floats
    uncertainty: Floats
    omega: Floats
    sigma: float

    @classmethod
    def of(cls, drug: Drug) -> PopulationPriors:
        """From the drug file's uncertainty, between_subject and residual_error."""
        return cls(
            typical_individual(drug),
            typical_uncertainty(drug),
            between_subject(drug),
            drug["absorption.residual_error"],
        )


def drug_file_population(drug: Drug, master: int, n: int = 400) -> Population:
    """``n`` population draws from the drug file alone (no concentrations)."""
    p = PopulationPriors.of(drug)
    return prior_population(p.uncertainty, p.omega, p.sigma, OMEGA_SPREAD, n, master)
