"""Predictions judged: intervals, metrics, criteria, gate, figures, page."""
