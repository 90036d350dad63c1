"""What is known of a person's effects before the first sample: the population predictive, given genotype and physiology.

The population's posterior is draws s of typical values, covariances and residual errors. A person's effects v are normal
around each draw's typical values with that draw's covariance, so their prior is a mixture over draws:

    p(v, sigma) = 1/S sum_s Normal(v; mean_s, cov_s) delta(sigma - sigma_s)

Genotype and physiology stand in the model (components, covariates), not here: no variance enters twice. Typical values
are counted as deviations from ``centre``, on the log scale where they stand beside a random effect (``aliases``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.estimation.modes import root
from pharmtwin.inference.models.description import PopulationModel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TwinPrior:
    """Prior of a person's effects.

    Attributes
    ----------
    names : (k,) random effects. centre : (n_fixed,) typical values that the effects are counted from.
    mean (S, k), cov (S, k, k), sigma (S, n_residuals) : of each draw of the population.
    """

    names: tuple[str, ...]
    centre: Floats
    mean: Floats
    cov: Floats
    sigma: Floats

    @classmethod
    def of_model(cls, model: PopulationModel) -> TwinPrior:
        """The prior of a model with known typical values, covariance and residual error (one draw)."""
        k = len(model.random)
        return cls(
            tuple(r.name for r in model.random),
            np.array([f.value for f in model.fixed]),
            np.zeros((1, k)),
            model.omega[None].copy(),
            np.array([[r.value for r in model.residuals]]),
        )

    @classmethod
    def of_draws(
        cls, model: PopulationModel, alias: dict[str, str], fixed: Floats, omega: Floats, sigma: Floats
    ) -> TwinPrior:
        """The prior of a population posterior.

        Parameters
        ----------
        alias : fixed effect -> random effect beside which it stands (``problem.aliases``).
        fixed (S, n_fixed), omega (S, k, k), sigma (S, n_residuals) : draws.

        Raises
        ------
        ValueError : a fixed effect varies over the draws but stands beside no random effect: its uncertainty has no
            place in a person's effects. Give the model a random effect there (of small variance), or fix it.
        """
        names = [f.name for f in model.fixed]
        random = [r.name for r in model.random]
        centre = np.array([_centre(fixed[:, k], n in alias) for k, n in enumerate(names)])
        mean = np.zeros((len(fixed), len(random)))
        for k, name in enumerate(names):
            spread = np.ptp(fixed[:, k]) > 1e-9 * abs(centre[k])
            if name in alias:
                mean[:, random.index(alias[name])] += np.log(fixed[:, k] / centre[k])
            elif spread:
                raise ValueError(f"{name} varies over the draws of the population but stands beside no random effect")
        return cls(tuple(random), centre, mean, np.asarray(omega), np.asarray(sigma))

    @property
    def n_draws(self) -> int:
        """Draws of the population."""
        return len(self.mean)

    def moments(self) -> tuple[Floats, Floats]:
        """Mean (k,) and covariance (k, k) of the mixture."""
        centre = self.mean.mean(axis=0)
        d = self.mean - centre
        return centre, self.cov.mean(axis=0) + np.einsum("si,sj->ij", d, d) / len(d)

    def log_density(self, v: Floats) -> Floats:
        """log Normal(v; mean_s, cov_s) of points v (n, k) for every draw: (n, S). Directions without variance do not count."""
        out = np.empty((len(v), self.n_draws))
        for s in range(self.n_draws):
            L = root(self.cov[s])
            z = np.linalg.lstsq(L, (v - self.mean[s]).T, rcond=None)[0]
            log_det = 0.5 * np.linalg.slogdet(L.T @ L)[1]
            out[:, s] = -0.5 * np.sum(z * z, axis=0) - log_det - 0.5 * L.shape[1] * np.log(2.0 * np.pi)
        return out

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draws of effects (n, k) and residual parameters (n, n_residuals)."""
        which = rng.integers(self.n_draws, size=n)
        v = np.empty((n, self.mean.shape[1]))
        for i, s in enumerate(which):
            L = root(self.cov[s])
            v[i] = self.mean[s] + L @ rng.standard_normal(L.shape[1])
        return v, self.sigma[which]


def _centre(draws: Floats, logarithmic: bool) -> float:
    return float(np.exp(np.mean(np.log(draws))) if logarithmic else np.mean(draws))
