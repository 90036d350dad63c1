"""Write docs/findings.md from the rules of the check."""

from pathlib import Path

from pharmtwin.files import write_text
from pharmtwin.intake.catalogue import page

write_text(Path(__file__).resolve().parents[2] / "docs" / "findings.md", page())
