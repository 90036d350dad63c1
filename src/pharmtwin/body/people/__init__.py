"""Who somebody is: covariates, growth, survey, what is missing, virtual populations."""
