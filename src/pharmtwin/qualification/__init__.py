"""Qualification: published studies simulated with the drug library, and judged."""
