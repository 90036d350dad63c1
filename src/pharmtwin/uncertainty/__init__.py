"""Uncertain inputs, declared once: what is not known, its distribution, its source, and what it acts on.

The propagation of uncertainty draws from these declarations, the sensitivity analysis takes them apart.
"""
