"""Diseases, pregnancy and severe obesity: which there are, their curves and effects."""
