"""The well-stirred liver: it receives its artery and the outflow of the portal organs."""

from __future__ import annotations

from pharmtwin.model.description import Module
from pharmtwin.model.library.organs import perfusion_limited_organ


def well_stirred_liver(
    portal: tuple[str, ...] = ("gut", "spleen", "pancreas"), *, compound: str = "", shares_body: bool = False
) -> Module:
    """A perfusion-limited liver; metabolism acts on its unbound concentration (``concentrations``, ``metabolism``).

    With linear metabolism the blood clearance is Q fu CLint/(B_P Q + fu CLint), Q the sum of arterial and portal flow:
    Rowland, Benet and Graham 1973, J Pharmacokinet Biopharm 1:123, doi 10.1007/BF01059626.

    Parameters
    ----------
    portal : organs that drain into the liver; their modules must name ``liver`` as their outflow.
    """
    return perfusion_limited_organ("liver", also_drains=portal, compound=compound, shares_body=shares_body)
