"""Random numbers from names, not from order.

``SeedSequence([master, sha256(stage), sha256(name)])``: the same twin and draw keep the same
random numbers whatever else runs beside them, and in every scenario.
"""

from __future__ import annotations

import hashlib

import numpy as np


def _word(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def seed_sequence(master: int, stage: str, name: str) -> np.random.SeedSequence:
    """Seed sequence of one named thing in one stage."""
    return np.random.SeedSequence([master, _word(stage), _word(name)])


def generator(master: int, stage: str, name: str) -> np.random.Generator:
    """PCG64 generator of one named thing in one stage."""
    return np.random.Generator(np.random.PCG64(seed_sequence(master, stage, name)))
