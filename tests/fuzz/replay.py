"""One input on one parser, without the fuzzer: ``python -m tests.fuzz.replay NAME FILE``; 1 if it is a fault."""

from __future__ import annotations

import faulthandler
import sys
import traceback
from pathlib import Path

from tests.fuzz.one import fault, work_folder
from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    faulthandler.enable()
    data = Path(sys.argv[2]).read_bytes()
    with work_folder() as folder:
        found = fault(TARGETS[sys.argv[1]], data, folder)
    if found is not None:
        traceback.print_exception(found)
    sys.exit(int(found is not None))
