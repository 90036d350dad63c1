"""A population model and its data, packed for solvers, optimisers and samplers."""
