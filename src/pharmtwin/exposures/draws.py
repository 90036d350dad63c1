"""Random numbers of the draws: spread evenly over each input, named by what they stand for.

What is unknown about a drug is the same for every twin, so its draws are too; what differs between people is drawn for
each twin. Numbers come from names (``core.seeds``), so a twin keeps its own whoever is beside it, and the same enzyme
and organs of a twin are the same with every drug. Each input is sampled once from each of n equal slices of its
distribution (McKay 1979, doi:10.1080/00401706.1979.10489755); the drug's own inputs are also made to have mean 0,
variance 1 and no correlation over the draws, since an accident there would move all twins the same way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pharmtwin.core.seeds import generator

Floats = NDArray[np.float64]
STAGE = "exposures"


def derived(master: int, name: str) -> int:
    """Master seed of a named set of draws, whose numbers are then none of another's."""
    return int(generator(master, STAGE, name).integers(2**62))


def sliced(master: int, name: str, n: int) -> Floats:
    """n probabilities, one in each n-th of (0, 1), in random order."""
    rng = generator(master, STAGE, name)
    return (rng.permutation(n) + rng.random(n)) / n


def normals(master: int, name: str, n: int) -> Floats:
    """n standard normal numbers, one from each slice of equal probability."""
    return np.asarray(ndtri(sliced(master, name, n)))


def many_normals(master: int, names: list[str], n: int) -> Floats:
    """:func:`normals` of several names, (len(names), n)."""
    return np.asarray(ndtri(np.array([sliced(master, name, n) for name in names]).reshape(len(names), n)))


def shared_normals(master: int, names: list[str], n: int) -> Floats:
    """(len(names), n) for inputs common to all twins: mean 0, variance 1 and, where n allows, uncorrelated.

    With n - 1 or fewer draws than inputs no numbers are uncorrelated: then only mean and variance are set.
    """
    z = many_normals(master, names, n)
    if n < 3 or not names:
        return z
    z = z - z.mean(axis=1, keepdims=True)
    if len(names) < n - 1:
        # symmetric orthogonalisation: the nearest uncorrelated numbers, whatever the order of the inputs
        u, _, v = np.linalg.svd(z, full_matrices=False)
        z = u @ v
    return np.asarray(z / np.sqrt((z**2).mean(axis=1, keepdims=True)))


def components(u: Floats, weights: Floats) -> NDArray[np.int64]:
    """Component of each draw from sliced probabilities ``u``: shares match the weights up to one draw."""
    edges = np.cumsum(weights / weights.sum())
    return np.searchsorted(edges, u, side="right").clip(max=len(weights) - 1)
