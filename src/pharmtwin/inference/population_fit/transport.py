"""Random effects in coordinates in which their posterior is nearly standard normal, whatever the population parameters.

With eta = C z, C C' = Omega, z ~ Normal(0, 1), and a subject's log-likelihood near t = b' eta - 1/2 eta' I eta, the
effects of a subject given the population parameters are normal: M = C' I C + 1 = R R', z = R'^-1 (R^-1 C' b + u), u ~
Normal(0, 1). Sampling u in place of z changes nothing in the posterior (for each C and b the map is one-to-one, and its
Jacobian is counted), but takes away the funnel between effects and their spread and the correlation with typical
values: without data (I = 0) it is the non-centred form, with many it is the centred one, and in between what
Papaspiliopoulos, Roberts, Skold 2007 (Stat Sci 22:59, doi 10.1214/088342307000000014) call partially non-centred; as a
map for Hamiltonian Monte Carlo: Osmundsen, Kleppe, Liesenfeld 2021, J Comput Graph Stat, doi
10.1080/10618600.2021.1923519. Derivative of the Cholesky factor: Murray 2016, arXiv 1602.07527.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, grad_undefined
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

VERSION = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


@numba.njit(nogil=True, error_model="numpy")
def _factor(C: Any, info: Any, R: Any) -> None:
    """R, lower, with R R' = C' I C + 1."""
    n = C.shape[0]
    M = C.T @ info @ C
    for j in range(n):
        for i in range(j, n):
            s = M[i, j] + (1.0 if i == j else 0.0)
            for k in range(j):
                s -= R[i, k] * R[j, k]
            R[i, j] = np.sqrt(s) if i == j else s / R[j, j]


@numba.njit(nogil=True, error_model="numpy")
def _forward(R: Any, v: Any) -> Any:
    """R^-1 v."""
    x = v.copy()
    for i in range(len(x)):
        for k in range(i):
            x[i] -= R[i, k] * x[k]
        x[i] /= R[i, i]
    return x


@numba.njit(nogil=True, error_model="numpy")
def _backward(R: Any, v: Any) -> Any:
    """R'^-1 v."""
    x = v.copy()
    for i in range(len(x) - 1, -1, -1):
        for k in range(i + 1, len(x)):
            x[i] -= R[k, i] * x[k]
        x[i] /= R[i, i]
    return x


@numba.njit(nogil=True, error_model="numpy")
def forward(C: Any, b: Any, u: Any, info: Any) -> Any:
    """eta (n_subjects, n) and, by subject, the log density of z times the Jacobian of u -> z, without constants.

    C (n, n), b and u (n_subjects, n), info (n_subjects, n, n).
    """
    eta, lp = np.empty(u.shape), np.zeros(u.shape[0])
    R = np.zeros(C.shape)
    for i in range(u.shape[0]):
        _factor(C, info[i], R)
        z = _backward(R, _forward(R, C.T @ b[i]) + u[i])
        eta[i] = C @ z
        for j in range(len(z)):
            lp[i] -= 0.5 * z[j] * z[j] + np.log(R[j, j])
    return eta, lp


@numba.njit(nogil=True, error_model="numpy")
def adjoint(C: Any, b: Any, u: Any, info: Any, d_eta: Any, d_lp: Any) -> Any:
    """Gradients with respect to C, b and u of a function whose gradients on eta and lp are d_eta and d_lp."""
    d_C, d_b, d_u = np.zeros(C.shape), np.empty(b.shape), np.empty(u.shape)
    n = C.shape[0]
    R = np.zeros(C.shape)
    for i in range(u.shape[0]):
        _factor(C, info[i], R)
        s = _forward(R, C.T @ b[i])
        z = _backward(R, s + u[i])
        d_z = C.T @ d_eta[i] - d_lp[i] * z
        d_w = _forward(R, d_z)
        d_t = _backward(R, d_w)
        d_R = np.zeros(C.shape)
        for j in range(n):
            for k in range(j + 1):
                d_R[j, k] = -z[j] * d_w[k] - d_t[j] * s[k]
            d_R[j, j] -= d_lp[i] / R[j, j]
        P = R.T @ d_R
        for j in range(n):
            P[j, j] *= 0.5
            P[j, j + 1 :] = 0.0
        for j in range(n):  # R'^-1 P R^-1
            P[:, j] = _backward(R, P[:, j])
        for j in range(n):
            P[j] = _backward(R, P[j])
        d_C += info[i] @ C @ (P + P.T)
        for j in range(n):
            for k in range(n):
                d_C[j, k] += d_eta[i, j] * z[k] + b[i, j] * d_t[k]
        d_b[i] = C @ d_t
        d_u[i] = d_w
    return d_C, d_b, d_u


class TransportOp(Op):
    """(C, b, u, info) -> (eta, lp), see :func:`forward`; ``info`` is data."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """All float64."""
        C, b, u, info = (pt.as_tensor_variable(v, dtype="float64") for v in inputs)
        return Apply(self, [C, b, u, info], [pt.dmatrix(), pt.dvector()])

    def infer_shape(self, fgraph: Any, node: Any, shapes: Any) -> Any:
        """As u."""
        return [shapes[2], (shapes[2][0],)]

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any) -> None:
        """Outside compiled code."""
        output_storage[0][0], output_storage[1][0] = forward(*map(np.ascontiguousarray, inputs))

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> list[Any]:
        """By :class:`TransportAdjoint`."""
        given = [
            pt.zeros_like(o) if isinstance(g.type, DisconnectedType) else g
            for o, g in zip(outputs, output_gradients, strict=True)
        ]
        found: Any = TransportAdjoint()(*inputs, *given)
        return [*found, grad_undefined(self, 3, inputs[3], "info is data")]


class TransportAdjoint(Op):
    """The gradient of :class:`TransportOp`."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """C, b, u, info and the gradients on eta and lp."""
        given = [pt.as_tensor_variable(v, dtype="float64") for v in inputs]
        return Apply(self, given, [pt.dmatrix(), pt.dmatrix(), pt.dmatrix()])

    def infer_shape(self, fgraph: Any, node: Any, shapes: Any) -> Any:
        """As C, b and u."""
        return [shapes[0], shapes[1], shapes[2]]

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any) -> None:
        """Outside compiled code."""
        for storage, value in zip(output_storage, adjoint(*map(np.ascontiguousarray, inputs)), strict=True):
            storage[0] = value


@register_funcify_and_cache_key(TransportOp)
def _numba_forward(op: TransportOp, node: Any = None, **kwargs: Any) -> tuple[Any, str]:
    @numba.njit(nogil=True)
    def transport(C: Any, b: Any, u: Any, info: Any) -> Any:
        c = np.ascontiguousarray
        return forward(c(C), c(b), c(u), c(info))

    return transport, f"pharmtwin_transport_{VERSION}"


@register_funcify_and_cache_key(TransportAdjoint)
def _numba_adjoint(op: TransportAdjoint, node: Any = None, **kwargs: Any) -> tuple[Any, str]:
    @numba.njit(nogil=True)
    def transport_adjoint(C: Any, b: Any, u: Any, info: Any, d_eta: Any, d_lp: Any) -> Any:
        c = np.ascontiguousarray
        return adjoint(c(C), c(b), c(u), c(info), c(d_eta), c(d_lp))

    return transport_adjoint, f"pharmtwin_transport_adjoint_{VERSION}"
