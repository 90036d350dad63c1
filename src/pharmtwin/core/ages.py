"""Ages that several stages speak of (WHO: preterm is before 37 completed weeks of gestation, term is 40 weeks)."""

from __future__ import annotations

TERM_WEEKS = 40.0
PRETERM_WEEKS = 37.0
