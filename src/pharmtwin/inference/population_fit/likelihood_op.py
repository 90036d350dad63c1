"""A PyTensor operation for the log-likelihood of a population problem: value and exact gradients from one solve.

``LikelihoodOp(problem)(theta, eta, sigma)`` returns ll (n_subjects,) and, hidden from differentiation, its gradients.
It runs compiled (numba) inside the sampler. A solve that fails gives -inf for its subject, which the sampler takes as a
divergence, and is counted (``op.counter``: calls, failed solves).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from pharmtwin.engine import dose_parameters
from pharmtwin.engine.compiled import compiled, source_key
from pharmtwin.engine.run import MAX_STEPS, SOLVE
from pharmtwin.inference.population_fit import kernel as kernels
from pharmtwin.inference.problem import score
from pharmtwin.inference.problem.problem import Problem

Shape = tuple[Any, ...]


class LikelihoodOp(Op):
    """See the module's docstring. Inputs theta (n_fixed,), eta (n_subjects, n_random), sigma (n_residuals,)."""

    __props__ = ("key",)

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.key = problem_key(problem)
        self.counter = kernels.counter(self.key)
        self.kernel = kernels.make_kernel(problem, self.key)
        n = len(problem.subjects)
        self.shapes = ((n,), (n, problem.n_fixed), (n, len(problem.effects) - problem.n_fixed),
                       (n, len(problem.model.residuals)))  # fmt: skip

    def make_node(self, *inputs: Any) -> Apply:
        """theta, eta, sigma -> ll and its gradients with respect to each, by subject."""
        given = [pt.as_tensor_variable(v, dtype="float64") for v in inputs]
        return Apply(self, given, [pt.TensorType("float64", shape=s)() for s in self.shapes])

    def infer_shape(self, fgraph: Any, node: Any, shapes: Any) -> list[Shape]:
        """Known from the problem."""
        return [tuple(pt.constant(d) for d in s) for s in self.shapes]

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any) -> None:
        """Evaluation outside compiled code (ADVI, tests)."""
        out = self.kernel(*(np.ascontiguousarray(v, dtype=float) for v in inputs))
        for storage, value in zip(output_storage, out, strict=True):
            storage[0] = value

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only ll is differentiated; the other outputs serve its gradient."""
        return [[True, False, False, False]] * 3

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> list[Any]:
        """Vector-Jacobian product from the gradients that the same solve returned."""
        weight = output_gradients[0]
        if isinstance(weight.type, DisconnectedType):
            return [pt.zeros_like(v) for v in inputs]
        _, g_theta, g_eta, g_sigma = outputs
        return [pt.dot(weight, g_theta), weight[:, None] * g_eta, pt.dot(weight, g_sigma)]


def problem_key(problem: Problem) -> str:
    """sha256 over all that is compiled in: PyTensor keeps code under it, which must never meet another solver."""
    sources = [Path(str(m.__file__)).read_bytes() for m in (kernels, score, dose_parameters)]
    structure: Any = problem.structure
    parts = [source_key(structure), SOLVE, compiled(structure).scratch(tangents=True), MAX_STEPS, *sources]
    parts += [Path(__file__).read_bytes(), problem.rtol, problem.effects, problem.wrt, problem.n_fixed]
    parts += [vars(problem.batch), tuple(r.name for r in problem.model.residuals)]
    names = [f.name for f in fields(problem)]
    parts += [getattr(problem, n) for n in names if isinstance(getattr(problem, n), np.ndarray)]
    if problem.dose_solve is not None:
        dose = problem.dose_solve
        parts += [source_key(dose.static), vars(dose.batch), dose.rows.arrays, dose.rows.n_parameters]
        parts += [dose.run_of, dose.slot_of, dose.columns, dose.n_items, kernels.STATIC_RTOL]
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part)
    return digest.hexdigest()


def _add(digest: Any, part: Any) -> None:
    """One part, arrays with their shape: an empty array has no bytes."""
    if isinstance(part, np.ndarray):
        digest.update(repr((part.shape, part.dtype.str)).encode() + np.ascontiguousarray(part).tobytes())
    elif isinstance(part, dict):
        for name in sorted(part):
            digest.update(name.encode())
            _add(digest, part[name])
    elif isinstance(part, tuple):
        for item in part:
            _add(digest, item)
    else:
        digest.update(repr(part).encode())


@register_funcify_and_cache_key(LikelihoodOp)
def _numba_likelihood(op: LikelihoodOp, node: Any = None, **kwargs: Any) -> tuple[Any, str]:
    kernel = op.kernel

    @numba.njit(nogil=True)
    def likelihood(theta: Any, eta: Any, sigma: Any) -> Any:
        return kernel(np.ascontiguousarray(theta), np.ascontiguousarray(eta), np.ascontiguousarray(sigma))

    return likelihood, f"pharmtwin_likelihood_{op.key}"
