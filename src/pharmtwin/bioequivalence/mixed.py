"""One random intercept a subject, fitted by restricted maximum likelihood (REML): EMA's method B.

With V = s2 (I + t Z Z'), t the ratio of the variance between subjects to that within, all of the fit is in t alone:
s2 and the coefficients follow in closed form (Patterson and Thompson 1971, doi:10.1093/biomet/58.3.545).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from pharmtwin.bioequivalence.linear import Fit, NotEstimable

Floats = NDArray[np.float64]
#: ln t is sought here; below, the variance between subjects counts as none
LOG_T = (-16.0, 12.0)


@dataclass(frozen=True)
class Mixed:
    """REML fit: coefficients (p,), their covariance (p, p), variances within and between, restricted -2 lnL."""

    beta: Floats
    covariance: Floats
    within: float
    between: float
    deviance: float


class RandomIntercept:
    """y = x beta + subject + error; ``x`` (n, p) of full column rank, ``subject`` (n,) names."""

    def __init__(self, x: Floats, y: Floats, subject: NDArray[np.str_]) -> None:
        if np.linalg.matrix_rank(x, tol=1e-9 * len(x)) < x.shape[1]:
            raise NotEstimable("treatment cannot be told from sequence and period")
        self.x, self.y = x, y
        self.names, self.code = np.unique(subject, return_inverse=True)
        self.count = np.bincount(self.code).astype(float)
        self.df = len(y) - x.shape[1]
        if self.df < 1 or len(self.names) == len(y):
            raise NotEstimable(
                "no subject has two values, so variances within and between subjects cannot be told apart"
            )

    def _weighted(self, columns: Floats, t: float) -> Floats:
        """(I + t Z Z')^-1 applied to columns (n, k)."""
        sums = np.zeros((len(self.names), columns.shape[1]))
        np.add.at(sums, self.code, columns)
        return np.asarray(columns - (t / (1 + t * self.count))[self.code, None] * sums[self.code])

    def at(self, t: float) -> Mixed:
        """Everything else given the ratio of variances."""
        wx = self._weighted(self.x, t)
        xwx = self.x.T @ wx
        beta = np.linalg.solve(xwx, wx.T @ self.y)
        left = self.y - self.x @ beta
        s2 = float(left @ self._weighted(left[:, None], t)[:, 0]) / self.df
        deviance = self.df * (1 + np.log(2 * np.pi * s2)) + np.log1p(t * self.count).sum() + np.linalg.slogdet(xwx)[1]
        return Mixed(np.asarray(beta, dtype=float), s2 * np.linalg.inv(xwx), s2, t * s2, float(deviance))

    def fit(self) -> Mixed:
        """The REML fit; a variance between subjects of zero is a fit too."""
        best = minimize_scalar(lambda lt: self.at(float(np.exp(lt))).deviance, bounds=LOG_T, method="bounded",
                               options={"xatol": 1e-11})  # fmt: skip
        found, none = self.at(float(np.exp(best.x))), self.at(0.0)
        return none if none.deviance <= found.deviance else found

    def satterthwaite(self, fit: Mixed, contrast: Floats) -> float:
        """Degrees of freedom 2 f^2 / (g' A g) of a contrast's variance f: g its gradient in the two variances, A their
        covariance from the observed information (Satterthwaite 1946, doi:10.2307/3002019; Giesbrecht and Burns 1985).
        """
        if fit.between == 0:  # on the edge of what is allowed: no subjects in the model
            return float(self.df)
        z = np.eye(len(self.names))[self.code]
        derivatives = (np.eye(len(self.y)), z @ z.T)  # of V in the variance within and between
        v = fit.within * derivatives[0] + fit.between * derivatives[1]
        vi = np.linalg.inv(v)
        vix = vi @ self.x
        p = vi - vix @ fit.covariance @ vix.T
        py = p @ self.y
        pd = [p @ d for d in derivatives]
        dpy = [d @ py for d in derivatives]
        information = np.array([[dpy[i] @ p @ dpy[j] - 0.5 * np.sum(pd[i] * pd[j].T) for j in (0, 1)] for i in (0, 1)])
        half = vix @ (fit.covariance @ contrast)
        gradient = np.array([half @ d @ half for d in derivatives])
        f = float(contrast @ fit.covariance @ contrast)
        return float(2 * f**2 / (gradient @ np.linalg.solve(information, gradient)))

    def containment(self, varying: int) -> int:
        """Degrees of freedom of an effect that varies within subjects (``varying`` columns do), as SAS's CONTAIN and
        R's nlme count: values less subjects less those columns."""
        return len(self.y) - len(self.names) - varying


def contrast_of(model: RandomIntercept, contrast: Floats, df: str, varying: int) -> Fit:
    """A contrast of the coefficients; ``df`` is containment or satterthwaite."""
    fit = model.fit()
    se = float(np.sqrt(contrast @ fit.covariance @ contrast))
    freedom = model.satterthwaite(fit, contrast) if df == "satterthwaite" else float(model.containment(varying))
    if freedom <= 0:
        raise NotEstimable("no degrees of freedom are left within subjects")
    return Fit(float(contrast @ fit.beta), se, freedom, fit.within)
