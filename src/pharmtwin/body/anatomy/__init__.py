"""Organs and flows: the reference bodies, scaling to a person, ageing."""
