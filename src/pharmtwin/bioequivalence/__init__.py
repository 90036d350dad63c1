"""Bioequivalence: average (crossover, parallel, replicate), EMA's expanding limits, FDA's scaled criteria, ratios."""
