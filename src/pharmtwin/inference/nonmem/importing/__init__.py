"""NONMEM control streams as population model files; pharmpy-core reads them (an optional package)."""
