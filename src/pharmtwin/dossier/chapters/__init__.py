"""The chapters of the dossier, each a function from run and statements to blocks."""
