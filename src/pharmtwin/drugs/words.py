"""Every word of a drug file (schema 2) as tables in Markdown, made from ``drugs.fields``: ``pharmtwin drug words``."""

from __future__ import annotations

from collections.abc import Mapping

from pharmtwin.core.binding import PARTNERS
from pharmtwin.core.partition import KINDS, METHODS
from pharmtwin.drugs import fields as f
from pharmtwin.drugs import schema as s

Rows = list[tuple[str, str, str, str]]
HEAD = "| word | unit | meaning | possible (usual) |\n|---|---|---|---|\n"
#: words that are no quantities: where they stand, what may be written
WORDS = (
    ("physicochemistry.kind", KINDS, "with `acid_pKa`, `base_pKa`: `{value: [..], source: ..}`"),
    ("binding.protein", PARTNERS, "that fu_p follows in a person"),
    ("distribution.method", ("auto", *METHODS), "partition coefficients; `lysosomes: true` adds pH partition"),
    ("liver.model", s.LIVERS, "uptake transporters need the second"),
    ("metabolism[].where", f.TISSUES, "tissues of a path, beside `path`, `enzyme`, `product`, `matures_as`"),
    ("transport[].where", tuple(f.CARRIED), "with `transporter` and `direction`"),
    ("acts_on[].mechanism", tuple(f.ACTIONS), "with `target`, an enzyme or transporter"),
    ("absorption.model", s.ABSORPTION_MODELS, "auto: by what is given; the gut wall where it matters"),
    ("formulations.NAME.release", s.RELEASES, "the first formulation is the default"),
)


def words() -> str:
    """The tables, by section of the file."""
    parts = []
    for section, quantities in f.COMPOUND.items():
        parts.append(_table(f"compounds.NAME.{section}", quantities))
    parts.append(_table("compounds.NAME.metabolism[]", f.PATH, _kinetics()))
    parts.append(_table("compounds.NAME.transport[]", f.TRANSPORT, "CL, or Vmax and Km. " + _directions()))
    for mechanism, quantities in f.ACTIONS.items():
        parts.append(_table(f"compounds.NAME.acts_on[], mechanism {mechanism}", quantities))
    parts.append(_table("absorption", f.ABSORPTION))
    needs = "; ".join(f"{release}: {', '.join(leaves)}" for release, leaves in f.RELEASE_NEEDS.items())
    parts.append(_table("formulations.NAME", f.FORMULATION, f"Needed by release {needs}."))
    parts.append(_table(f"depots.{' or depots.'.join(f.DEPOTS)}", f.DEPOT))
    lines = [f"| `{where}` | {', '.join(allowed)} | {meaning} |" for where, allowed, meaning in WORDS]
    parts.append("**words**\n\n| where | one of | meaning |\n|---|---|---|\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _table(title: str, quantities: Mapping[str, f.Field], note: str = "") -> str:
    lines = []
    for name, spec in quantities.items():
        usual = f" ({spec.rare[0]:g} to {spec.rare[1]:g})" if spec.rare else ""
        lines.append(f"| `{name}` | {spec.unit} | {spec.meaning} | {spec.low:g} to {spec.high:g}{usual} |")
    return f"**{title}**\n\n{note + chr(10) * 2 if note else ''}{HEAD}" + "\n".join(lines)


def _kinetics() -> str:
    """Which statements of kinetics there are."""
    each = [
        f"`{name}`{' with Km' if name in f.NEEDS_KM else ''} ({', '.join(tissues)})"
        for name, tissues in f.KINETICS.items()
    ]
    return (
        f"One of {'; '.join(each)}. Those per enzyme ({', '.join(f.PER_ENZYME)}) need `enzyme`; Km where it saturates."
    )


def _directions() -> str:
    return "Directions: " + "; ".join(f"{tissue}: {', '.join(ways)}" for tissue, ways in f.CARRIED.items()) + "."
