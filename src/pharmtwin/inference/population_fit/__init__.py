"""Hierarchical Bayesian fits of any population problem by NUTS, and fast approximations to compare with them."""
