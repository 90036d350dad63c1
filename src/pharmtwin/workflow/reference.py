"""The reference person's CYP2D6 activity, from the config (apart from :mod:`.subject`, which needs more packages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pharmtwin.genome.function.factors import activity_factors


def reference_activity(config: Mapping[str, Any]) -> float:
    """CYP2D6 activity (relative to score 2) of ``reference_activity_score`` under the study's map."""
    score = config["sensitivity"]["reference_activity_score"]
    return float(activity_factors(score, config["genome"]["activity_map"])[0])
