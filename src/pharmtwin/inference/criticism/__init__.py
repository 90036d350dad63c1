"""Criticism of a fit: sampler diagnostics, predictive checks, NPDE, LOO, power-scaling, calibration by simulation.

Pure functions on arrays and plain tables: nothing here knows a model, a file or a plot.
"""
