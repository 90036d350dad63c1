"""Published studies as the reference tables write them, read into arms: doses, people, genotypes, windows."""
