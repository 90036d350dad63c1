"""``make audit``: the locked packages against the offline list of advisories; ``--rebuild FOLDER DAY`` makes that anew.

FOLDER is the folder ``vulns`` of a checkout of the Python Packaging Advisory Database, DAY that of its last commit.
"""

import sys
from pathlib import Path

from pharmtwin.curation.advisories import extract, locked, statement, write

ROOT = Path(__file__).resolve().parents[2]
TABLE, JUDGED = ROOT / "resources" / "advisories.tsv", ROOT / "resources" / "advisories_judged.tsv"

if sys.argv[1:2] == ["--rebuild"]:
    write(TABLE, extract(Path(sys.argv[2]), locked(ROOT)), sys.argv[3])
text, code = statement(TABLE, JUDGED, ROOT)
print(text)
sys.exit(code)
