"""What the plan fits, on the building set, and written into the drug files."""
