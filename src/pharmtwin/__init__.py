"""PharmTwin: patient-specific pharmacological digital twins, from VCF to a defended dose."""

__version__ = "0.1.0"
