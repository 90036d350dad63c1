"""One entrance: a compound, a method and a composition, or "auto" by compound class; and the volume that Kp imply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pharmtwin.core.anatomy import BLOOD
from pharmtwin.core.partition import method_berezhkovskiy as be
from pharmtwin.core.partition import method_pk_sim as ps
from pharmtwin.core.partition import method_poulin_theil as pt
from pharmtwin.core.partition import method_rodgers_rowland as rr
from pharmtwin.core.partition import method_schmitt as sc
from pharmtwin.core.partition.composition import COMPOSITIONS, Composition, missing_columns, tissue_composition
from pharmtwin.core.partition.compound import Compound

_CALL: dict[str, tuple[Callable[[Compound, Composition | None], dict[str, float]], tuple[str, ...]]] = {
    "rodgers_rowland": (rr.rodgers_rowland, rr.COLUMNS),
    "poulin_theil": (pt.poulin_theil, pt.COLUMNS),
    "berezhkovskiy": (be.berezhkovskiy, be.COLUMNS),
    "schmitt": (sc.schmitt, sc.COLUMNS),
    "pk_sim": (ps.pk_sim, ps.COLUMNS),
}
METHODS = tuple(_CALL)
#: what "auto" takes: method and its reason, by compound class (:func:`compound_class`)
AUTO: dict[str, tuple[str, str]] = {
    "strong base": ("rodgers_rowland", "only it binds bases to acidic phospholipid with an affinity read from B_P"),
    "zwitterion with a strong base": ("rodgers_rowland", "as a strong base"),
    "zwitterion": ("rodgers_rowland", "binds to albumin with an affinity read from fu_p, ionisation enters"),
    "acid": ("rodgers_rowland", "binds to albumin with an affinity read from fu_p, ionisation enters"),
    "weak base": ("rodgers_rowland", "binds to albumin with an affinity read from fu_p"),
    "neutral": ("rodgers_rowland", "binds to lipoprotein with an affinity read from fu_p"),
    "bound by plasma lipid": (
        "berezhkovskiy",
        "lipid of plasma alone would bind more than fu_p says; it sets that lipid against the lipid of tissue",
    ),
}


@dataclass(frozen=True)
class Partition:
    """Tissue:plasma partition coefficients and where they come from.

    kp : Kp by organ (total concentrations, 1), ``scale`` included.
    method, composition : names, of :data:`METHODS` and ``COMPOSITIONS``.
    scale : factor on every Kp (1: as predicted); a fitted scale is reported here.
    notes : sentences on the choice and on inputs that do not fit together.
    """

    kp: Mapping[str, float]
    method: str
    composition: str
    scale: float = 1.0
    notes: tuple[str, ...] = ()


def compound_class(compound: Compound) -> str:
    """Class by which "auto" chooses, a key of :data:`AUTO`.

    Strong is a basic pKa >= 7 (Rodgers 2005). "Bound by plasma lipid": no strong base, and Rodgers-Rowland's affinity
    for plasma protein comes out negative, so that their lipid term has nothing in plasma to be set against.
    """
    if compound.is_strong_base():
        return "strong base" if compound.kind == "base" else "zwitterion with a strong base"
    if rr.affinity(compound).raw < 0.0:
        return "bound by plasma lipid"
    return "weak base" if compound.kind == "base" else compound.kind


def partition(compound: Compound, method: str = "auto", composition: str = "auto", scale: float = 1.0) -> Partition:
    """Tissue:plasma partition coefficients of a compound.

    Parameters
    ----------
    method : one of :data:`METHODS`, or ``auto``: by compound class, :data:`AUTO`.
    composition : name of a table, or ``auto``: Rodgers-Rowland's own for their method, the unified one for the others.
    scale : factor on every Kp, > 0.

    Raises
    ------
    ValueError : unknown name, a composition without a column that the method needs, or a scale that is not positive.
    """
    notes = []
    if method == "auto":
        kind = compound_class(compound)
        method, why = AUTO[kind]
        notes.append(f"{method} for a {kind}: {why}")
    if method not in _CALL:
        raise ValueError(f"no partition method {method!r}; there are auto, {', '.join(METHODS)}")
    if composition == "auto":
        composition = "rodgers_rowland" if method == "rodgers_rowland" else "unified"
    if not 0.0 < scale < float("inf"):
        raise ValueError(f"scale {scale} is not a positive number")
    function = _CALL[method][0]
    table = tissue_composition(composition)
    lacking = lacking_columns(method, composition)
    if lacking:
        fit = [name for name in COMPOSITIONS if not lacking_columns(name=name, method=method)]
        raise ValueError(
            f"{method} needs {', '.join(lacking)}, not in composition {composition}; use {' or '.join(fit)}"
        )
    if method == "rodgers_rowland" and rr.affinity(compound, table).raw < 0.0:
        notes.append("water and lipid alone explain more binding than is observed: affinity for tissue set to 0")
    if scale != 1.0:
        notes.append(f"every Kp times {scale:g}")
    kp = {organ: scale * value for organ, value in function(compound, table).items()}
    return Partition(kp, method, composition, scale, tuple(notes))


def lacking_columns(method: str, name: str) -> list[str]:
    """Columns that a method needs and a named composition does not have; of plasma too where the method uses it."""
    columns = _CALL[method][1]
    table = tissue_composition(name)
    lacking = missing_columns(table, columns)
    if method in ("poulin_theil", "berezhkovskiy") and not lacking:
        lacking = ["plasma"] if "plasma" not in table else missing_columns(table, columns, ("plasma",))
    return lacking


def vss(kp: Mapping[str, float], volumes: Mapping[str, float], B_P: float) -> float:
    """Steady-state volume of distribution (L) referred to plasma: V_blood B_P + sum V_i Kp_i (Oie, Tozer 1979).

    No haematocrit stands here: plasma (1-H) plus cells H (B_P-(1-H))/H is B_P, whatever H. Eliminating organs are
    taken as if at equilibrium.

    Parameters
    ----------
    kp : Kp by organ.
    volumes : L by organ, with ``venous`` and ``arterial``; raises KeyError if an organ of ``kp`` is missing.
    """
    blood = sum(volumes[name] for name in BLOOD)
    return blood * B_P + sum(volumes[organ] * value for organ, value in kp.items())
