"""Names and units of the exposure metrics; apart, so that the check of a sheet loads no solver."""

from __future__ import annotations

METRICS = {"AUCtau": "ng*h/mL", "Cmax": "ng/mL", "Ctrough": "ng/mL", "tmax": "h"}
