"""What is known of a person's effects before the first sample: the population's prediction for such a person.

The population's posterior is draws s of typical values, covariances and residual errors. A person's effects v are
normal around each draw's typical values with that draw's covariance, so their prior is a mixture over draws:

    p(v, sigma) = 1/S sum_s Normal(v; mean_s, cov_s) delta(sigma - sigma_s)

Genotype and physiology stand in the model (components, covariates), not here: no variance enters twice. Typical values
are counted as deviations from ``centre``, on the log scale where they stand beside a random effect (``aliases``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.estimation.modes import root
from pharmtwin.inference.models.description import PopulationModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TwinPrior:
    """Prior of a person's effects.

    Attributes
    ----------
    names : (k,) random effects. centre : (n_fixed,) typical values that the effects are counted from.
    mean (S, k), cov (S, k, k), sigma (S, n_residuals) : of each draw of the population.

    Effects without variance are allowed (they stay at the mean), but then in every draw, and the mean may not vary
    along them: such a prior has no density. Raises ValueError for it, and for shapes that do not fit.
    """

    names: tuple[str, ...]
    centre: Floats
    mean: Floats
    cov: Floats
    sigma: Floats

    def __post_init__(self) -> None:
        S, k = len(self.mean), len(self.names)
        if S == 0 or self.mean.shape != (S, k) or self.cov.shape != (S, k, k) or len(self.sigma) != S:
            raise ValueError(f"mean {self.mean.shape}, cov {self.cov.shape} and sigma {self.sigma.shape} do not fit "
                             f"{k} effects")  # fmt: skip
        m = root(self.moments()[1]).shape[1]
        wrong = [s for s in range(S) if root(self.cov[s]).shape[1] != m]
        if wrong:
            raise ValueError(
                f"draw {wrong[0]} of the population has no variance where other draws have, or where typical values "
                "differ between draws: give each effect a variance in every draw"
            )

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
            place in a person's effects. Give the model a random effect there (of small variance), or fix it. Or one
            that stands beside a random effect is not greater than 0 in a draw.
        """
        names = [f.name for f in model.fixed]
        random = [r.name for r in model.random]
        centre = np.mean(fixed, axis=0)
        mean = np.zeros((len(fixed), len(random)))
        for k, name in enumerate(names):
            if name in alias:
                if not np.all(fixed[:, k] > 0):
                    raise ValueError(f"{name} is not greater than 0 in every draw of the population")
                logs = np.log(fixed[:, k])
                centre[k] = np.exp(logs.mean())
                mean[:, random.index(alias[name])] += logs - logs.mean()
            elif np.ptp(fixed[:, k]) > 1e-9 * abs(centre[k]):
                raise ValueError(f"{name} varies over the draws of the population but stands beside no random effect")
        return cls(tuple(random), centre, mean, np.asarray(omega), np.asarray(sigma))

    @property
    def n_draws(self) -> int:
        """Draws of the population."""
        return len(self.mean)

    @cached_property
    def _roots(self) -> Floats:
        """L_s with L_s L_s' = cov_s: (S, k, m), m effects (or combinations of them) that vary."""
        return np.array([root(c) for c in self.cov])

    @cached_property
    def _whiten(self) -> Floats:
        """Pseudo-inverses of the roots: (S, m, k)."""
        return np.asarray(np.linalg.pinv(self._roots))

    @cached_property
    def _constant(self) -> Floats:
        """log of the density at the mean: (S,)."""
        m = self._roots.shape[2]
        gram = np.einsum("ski,skj->sij", self._roots, self._roots)
        return np.asarray(-0.5 * np.linalg.slogdet(gram)[1] - 0.5 * m * np.log(2.0 * np.pi))

    def moments(self) -> tuple[Floats, Floats]:
        """Mean (k,) and covariance (k, k) of the mixture."""
        centre = self.mean.mean(axis=0)
        d = self.mean - centre
        return centre, self.cov.mean(axis=0) + np.einsum("si,sj->ij", d, d) / len(d)

    def log_density(self, v: Floats) -> Floats:
        """log Normal(v; mean_s, cov_s) of points v (n, k), every draw: (n, S). Without directions of no variance."""
        q = np.empty((len(v), self.n_draws))
        for s, W in enumerate(self._whiten):
            z = (v - self.mean[s]) @ W.T
            q[:, s] = np.einsum("ni,ni->n", z, z)
        return np.asarray(self._constant - 0.5 * q)

    def pull(self, v: Floats) -> Floats:
        """Gradient of the log density at one point v (k,), for every draw: (S, k)."""
        z = np.einsum("smk,sk->sm", self._whiten, v - self.mean)
        return np.asarray(-np.einsum("smk,sm->sk", self._whiten, z))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draws of effects (n, k) and residual parameters (n, n_residuals)."""
        which = rng.integers(self.n_draws, size=n)
        z = rng.standard_normal((n, self._roots.shape[2]))
        return self.mean[which] + np.einsum("nkm,nm->nk", self._roots[which], z), self.sigma[which]
