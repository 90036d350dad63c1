"""Kidney function: GFR by marker and age, its equations, units of its markers."""
