"""What a run was made of and whether it still is: manifest, record of the run, RO-Crate, SBOM, verification, rerun."""
