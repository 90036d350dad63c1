"""How numbers and names are written in the report: three significant digits, intervals, plain names."""

from __future__ import annotations

import hashlib
import html
import math
import re
from typing import Any

MODELS = {
    "population": "Population (no patient data)",
    "covariates": "Covariates (genotype, body)",
    "twin": "Twin (+ own concentrations)",
    "drug_file": "Drug file (literature only)",
    "fitted": "Fitted (study posterior)",
}
METRICS = {
    "GMFE": "GMFE (typical fold error)",
    "AFE": "AFE (bias)",
    "within_1.25": "Within 1.25\u2011fold",
    "within_2": "Within 2\u2011fold",
    "coverage_90": "Coverage of 90 % interval",
    "width_90": "Width of 90 % interval (hi/lo)",
}
NONE = "–"


def number(value: Any, digits: int = 3) -> str:
    """A number with ``digits`` significant digits, without exponent between 0.001 and a million."""
    if value is None or value != value:
        return NONE
    x = float(value)
    if math.isinf(x):
        return "∞" if x > 0 else "-∞"
    if x == 0:
        return "0"
    size = math.floor(math.log10(abs(x)))
    if -4 < size < 6:
        rounded = round(x, digits - 1 - size)
        size = math.floor(math.log10(abs(rounded)))
        return f"{rounded:.{max(0, digits - 1 - size)}f}"
    return f"{x:.{digits - 1}e}"


def plain(value: Any) -> str:
    """A number that was given rather than estimated (dose, score, limit): no digits beyond its own, at most 4."""
    return NONE if value is None or value != value else f"{float(value):.4g}"


def count(value: Any) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{int(value):,}".replace(",", "\u202f")


def interval(mid: Any, lo: Any, hi: Any) -> str:
    """``value (low to high)``; the value alone where there is no interval."""
    if lo != lo or hi != hi or lo is None or hi is None:
        return number(mid)
    return f"{number(mid)} ({number(lo)} to {number(hi)})"


def percent(value: Any) -> str:
    """A share 0..1 as per cent: one decimal below 10 % and above 90 % (but 0 and 100 plain)."""
    if value is None or value != value:
        return NONE
    x = 100 * float(value)
    return f"{x:.1f} %" if (0 < x < 10 or 90 < x < 99.95) else f"{x:.0f} %"


def percent_interval(mid: Any, lo: Any, hi: Any) -> str:
    """``share (low to high)`` in per cent."""
    if lo != lo or hi != hi or lo is None or hi is None:
        return percent(mid)
    return f"{percent(mid)} ({percent(lo).removesuffix(' %')} to {percent(hi).removesuffix(' %')})"


def plural(n: int, one: str, many: str = "") -> str:
    """``3 twins`` or ``1 twin``."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def short_model(name: str) -> str:
    """A model's name without its explanation."""
    return model(name).split(" (")[0]


def model_use(name: str) -> str:
    """What a model knows, in a few words."""
    return model(name).partition(" (")[2].removesuffix(")")


def model(name: str) -> str:
    """A model's name as read by people."""
    return MODELS.get(name, name)


def metric(name: str) -> str:
    """A metric's name as read by people."""
    return METRICS.get(name, name.replace("GMFE_ratio_to_", "GMFE relative to ").replace("drug_file", "drug file"))


def page_name(twin_id: str) -> str:
    """File name (without folder) of a twin's page: letters, digits, ``._-``; a hash where others were replaced."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", twin_id)
    if safe != twin_id or safe.startswith("."):
        safe = f"{safe.lstrip('.')}-{hashlib.sha256(twin_id.encode()).hexdigest()[:8]}"
    return f"{safe}.html"


def plotly_text(value: object) -> str:
    """A user's string for a figure: plotly reads a little HTML, so it is escaped."""
    return html.escape(str(value), quote=False)


def without_folders(value: object) -> str:
    """Absolute paths by their last part: a report shows no folder of the machine it was made on."""
    text = str(value)
    if re.match(r"^(/|~|[A-Za-z]:[\\/])", text):
        return "…/" + re.split(r"[\\/]", text.rstrip("/\\"))[-1]
    return text
