"""Beside NONMEM: conditional modes (MAP) of its models and data, compared; control streams as population models."""
