"""PharmTwin: patient-specific pharmacological digital twins, from VCF to a defended dose."""

__version__ = "0.1.0"
#: day of this version; RO-Crates carry it in the place of a clock, so that equal runs give equal bytes
__date__ = "2026-11-22"
