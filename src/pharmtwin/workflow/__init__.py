"""What the Snakefile needs: buckets, digests of rows, facts and code, manifest and verification."""
