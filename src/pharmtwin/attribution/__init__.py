"""Attribution: how much of a twin's exposure is due to each of its covariates, genes and samples."""
