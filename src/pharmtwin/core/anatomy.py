"""Names of the compartments of the whole body, and how blood runs between them."""

from __future__ import annotations

#: organs whose blood goes to the liver
PORTAL = ("gut", "spleen", "pancreas")
SYSTEMIC = ("adipose", "bone", "brain", "heart", "kidney", "liver", "muscle", "skin", "thyroid", "rest")
TISSUES = ("lung", *SYSTEMIC, *PORTAL)
BLOOD = ("venous", "arterial")
COMPARTMENTS = (*TISSUES, *BLOOD)
