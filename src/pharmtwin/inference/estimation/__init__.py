"""Point estimates: conditional modes of subjects (MAP), marginal likelihoods, and maximum likelihood."""
