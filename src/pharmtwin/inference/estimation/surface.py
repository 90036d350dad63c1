"""The objective as a function of free parameters, with derivatives by differences that the search for modes does not
blur.

A conditional mode moves with the parameters. Near a point whose modes z and curvatures B are known, those of a
neighbour come by Newton steps z + B^-1 dh/dz: two leave an error of the third order in the distance, so that
differences are as smooth as the solver, and cheaper than searches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.inference.estimation import approximations as ap
from pharmtwin.inference.estimation import objective as ob
from pharmtwin.inference.estimation.modes import LogJoint, conditional_modes
from pharmtwin.inference.estimation.scale import Scale, expanded_omega
from pharmtwin.inference.problem.problem import Component, make_problem
from pharmtwin.inference.problem.records import Subject

Floats = NDArray[np.float64]
#: steps of differences, in standard errors, and their bounds in free parameters
GRADIENT_STEP, HESSIAN_STEP = 0.01, 0.1
SMALLEST, LARGEST = 1e-4, 0.1


@dataclass(frozen=True)
class Place:
    """A point of the surface: free parameters, objective and its parts by subject, modes z and curvature B of every
    case."""

    x: Floats
    value: float
    by_subject: Floats
    z: Floats
    B: Floats


@dataclass(frozen=True)
class Method:
    """How the marginal likelihood is approximated: see ``objective.objective``."""

    name: str = "focei"
    nodes: int = 5
    curvature: str = "exact"


class Surface:
    """-2 log marginal likelihood over the free parameters of ``scale``; counts its evaluations."""

    def __init__(
        self, scale: Scale, subjects: Sequence[Subject], method: Method, *,
        components: Mapping[str, Sequence[Component]] | None = None, covariate_at: str = "end", rtol: float = 1e-9,
        threads: int = 1,
    ) -> None:  # fmt: skip
        self.scale, self.method, self.threads = scale, method, threads
        self.problem = make_problem(scale.model, subjects, components=components, covariate_at=covariate_at, rtol=rtol)
        ob.check(self.problem, method.name)
        self.cases = ob.separated(self.problem)
        self.n_occasions = max(s.n_occasions for s in subjects)
        self.plain = ob.plain_counts(self.cases) * np.log(2.0 * np.pi)
        self.evaluations = 0

    def numbers(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Fixed effects, residual parameters and the written-out Omega at x."""
        v = self.scale.values(x)
        return v.fixed, v.sigma, expanded_omega(self.scale.model, v.omega, self.n_occasions)

    def at(self, x: Floats, start: Place | None = None, screen: int = 0) -> Place:
        """The place x; modes are searched from those of ``start``."""
        self.evaluations += 1
        fixed, sigma, omega = self.numbers(x)
        if self.method.name == "fo":
            return self._place(
                x, ap.first_order(self.cases, fixed, sigma, omega), np.zeros((0, 0)), np.zeros((0, 0, 0))
            )
        joint = self._joint(fixed, sigma, omega)
        eta = None if start is None else start.z @ joint.L.T
        modes = conditional_modes(joint.problem, fixed, joint.sigma, omega, eta, screen=screen, threads=self.threads)
        z = modes.eta @ np.linalg.pinv(joint.L).T
        B = ap.exact_curvature(joint, z)
        z = _newton(joint, z, B)
        return self._place(x, self._parts(joint, z), z, B)

    def near(self, place: Place, x: Floats, steps: int = 2) -> Floats:
        """The objective by subject at x, close to a place."""
        self.evaluations += 1
        fixed, sigma, omega = self.numbers(x)
        if self.method.name == "fo":
            return ob.joined(self.problem, ap.first_order(self.cases, fixed, sigma, omega))[0]
        joint = self._joint(fixed, sigma, omega)
        z = place.z
        for _ in range(steps):
            z = _newton(joint, z, place.B)
        by_subject, _ = ob.joined(self.problem, self._parts(joint, z))
        return by_subject if np.isfinite(by_subject).all() else self.at(x, place).by_subject

    def gradients(self, place: Place, unit: Floats) -> Floats:
        """d objective / dx by subject (n_subjects, n_free); ``unit`` (n_free,) about a standard error of each."""
        h = np.clip(GRADIENT_STEP * unit, SMALLEST, LARGEST)
        out = np.empty((len(self.problem.subjects), len(h)))
        for k, e in enumerate(np.diag(h)):
            out[:, k] = (self.near(place, place.x + e) - self.near(place, place.x - e)) / (2.0 * h[k])
        return out

    def hessian(self, place: Place, unit: Floats) -> Floats:
        """d2 objective / dx2 (n_free, n_free), by second differences."""
        h = np.clip(HESSIAN_STEP * unit, SMALLEST, LARGEST)
        E, n = np.diag(h), len(h)
        f = lambda shift: float(self.near(place, place.x + shift, steps=3).sum())  # noqa: E731
        one = [(f(e), f(-e)) for e in E]
        H = np.empty((n, n))
        for i in range(n):
            H[i, i] = (sum(one[i]) - 2.0 * place.value) / h[i] ** 2
            for j in range(i):
                both = f(E[i] + E[j]) + f(-E[i] - E[j]) + 2.0 * place.value - sum(one[i]) - sum(one[j])
                H[i, j] = H[j, i] = both / (2.0 * h[i] * h[j])
        return H

    def _joint(self, fixed: Floats, sigma: Floats, omega: Floats) -> LogJoint:
        cases = self.cases
        if self.method.name == "foce":
            cases, sigma = ap.frozen(cases, fixed, sigma)
        return LogJoint(cases, fixed, sigma, omega, self.threads)

    def _parts(self, joint: LogJoint, z: Floats) -> Floats:
        return ap.at_mode(joint, z, self.method.name, self.method.nodes, self.method.curvature)[0] - self.plain

    def _place(self, x: Floats, parts: Floats, z: Floats, B: Floats) -> Place:
        by_subject, _ = ob.joined(self.problem, parts)
        by_subject = np.where(np.isnan(by_subject), np.inf, by_subject)
        return Place(x.copy(), float(by_subject.sum()), by_subject, z, B)


def _newton(joint: LogJoint, z: Floats, B: Floats) -> Floats:
    """z + B^-1 dh/dz; a case without a curvature or gradient stays."""
    g = joint(z)[1]
    C, good = ap.cholesky(B)
    step = np.linalg.solve(C.transpose(0, 2, 1), np.linalg.solve(C, g[:, :, None]))[:, :, 0]
    return z + np.where((good & np.isfinite(step).all(axis=1))[:, None], step, 0.0)
