"""Volume of the liver from body surface area: named published equations, blended where one ends and the next begins.

Default ``vauthey_johnson``: Vauthey 2002 in adults (BSA 1.2-2.6 m2), Johnson 2005 in children, with a weight that runs
smoothly from 0 at 16 to 1 at 20 years (1/2 at 18). Outside Vauthey's range of size the weight falls to 0 as smoothly
(gone at 0.4 and 4.0 m2; the equation is negative below 0.63 m2); the windows are so wide that the volume always rises
with size.

Another equation is another name; adult equations other than Vauthey's hold for adults only and are blended likewise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pharmtwin.body.equations import Floats, coefficients, fade_in

PRINTED = "printed_bw_bsa_age"
WHY_NOT_PRINTED = (
    "0.0158 BW + 0.2099 BSA - 0.0029 age is printed without its intercept and its units do not close: as it stands a "
    "man of 73 kg, 1.89 m2 and 35 y has 1.45 (ICRP 1.8 kg, Vauthey 2002 1.60 L), a newborn 0.10; 0.0158 is the "
    "coefficient of age in Barter 2008 (microsomal protein), so the line looks like a mixture of two equations. "
    "Use vauthey_johnson."
)


def _linear(equation: str) -> Callable[[Floats, Floats], Floats]:
    def of_bsa(bsa_m2: Floats, weight_kg: Floats) -> Floats:
        c = coefficients(equation)
        return (c["intercept"] + c["slope"] * bsa_m2) / 1000.0

    return of_bsa


def _vauthey_weight(bsa_m2: Floats, weight_kg: Floats) -> Floats:
    c = coefficients("vauthey_weight")
    return (c["intercept"] + c["slope"] * weight_kg) / 1000.0


ADULT_EQUATIONS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "vauthey": _linear("vauthey"),
    "vauthey_weight": _vauthey_weight,
    "chinese": _linear("feng_chinese"),
    "korean": _linear("korean"),
}
METHODS = ("vauthey_johnson", "johnson", "vauthey_weight_johnson", "chinese_johnson", "korean_johnson")


def johnson(bsa_m2: Floats) -> Floats:
    """Liver volume (L) = factor BSA^power, birth to adult (Johnson 2005, DOI 10.1002/lt.20519; ``equations.tsv``)."""
    c = coefficients("johnson")
    return c["factor"] * np.asarray(bsa_m2, dtype=float) ** c["power"]


def adult_weight(bsa_m2: Floats, age_y: Floats) -> Floats:
    """Weight of the adult equation against Johnson's (0-1): in its age and its range of size 1, outside 0, smooth."""
    c = coefficients("vauthey")
    of_age = fade_in(age_y, c["age_from"], c["age_until"])
    of_size = fade_in(bsa_m2, c["bsa_low_from"], c["bsa_low"])
    return of_age * of_size * (1.0 - fade_in(bsa_m2, c["bsa_high"], c["bsa_high_until"]))


def liver_volume(bsa_m2: Floats, weight_kg: Floats, age_y: Floats, method: str = METHODS[0]) -> Floats:
    """Volume of the liver (L) before ageing, elementwise.

    ``method``: vauthey_johnson (default), johnson (all ages), vauthey_weight_johnson (191.80 + 18.51 kg),
    chinese_johnson (Feng 2017), korean_johnson. Raises ValueError for another name, and for ``printed_bw_bsa_age``
    with the reason.
    """
    if method == PRINTED:
        raise ValueError(f"liver volume {method}: refused. {WHY_NOT_PRINTED}")
    if method not in METHODS:
        raise ValueError(f"liver volume {method!r}: known are {', '.join(METHODS)}")
    if method == "johnson":
        return johnson(bsa_m2)
    weight = adult_weight(bsa_m2, age_y)
    adult = ADULT_EQUATIONS[method.removesuffix("_johnson")](bsa_m2, weight_kg)
    return weight * adult + (1.0 - weight) * johnson(bsa_m2)
