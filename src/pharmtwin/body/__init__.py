"""Body stage: covariates of a twin to organ volumes, blood flows, GFR, and the priors on what varies."""
