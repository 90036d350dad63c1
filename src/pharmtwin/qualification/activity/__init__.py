"""The map from CYP2D6's alleles to activity, estimated by the models with one drug left out."""
