"""Uncertain inputs, declared once: what is not known, how it is distributed, where the numbers are from, what it acts on.

The propagation of uncertainty draws from these declarations, the sensitivity analysis takes them apart.
"""
