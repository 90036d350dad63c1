"""Population models: a structural model, its fixed and random effects, and the error of what is observed."""
