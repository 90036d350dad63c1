"""Exposure of many twins to drugs of the library: genotype x body x drug file, with intervals (docs/exposures.md)."""
