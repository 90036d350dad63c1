"""Write the conda environment files of the stages, envs/<stage>.yaml, from requirements.lock (run by hand).

    python scripts/maintenance/build_envs.py            # write
    python scripts/maintenance/build_envs.py --check    # only say which files are out of step

There is one source of versions, the lock. What a stage's file holds is said in pharmtwin.curation.environments.
"""

from __future__ import annotations

import argparse
import sys

from pharmtwin.curation.environments import REPOSITORY, out_of_step
from pharmtwin.files import write_text


def main() -> None:
    """Write the files, or say which are out of step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of step")
    args = parser.parse_args()
    stale = out_of_step()
    if not args.check:
        for name, text in stale.items():
            write_text(REPOSITORY / name, text)
    print("\n".join(stale) or "envs are in step with requirements.lock")
    sys.exit(1 if args.check and stale else 0)


if __name__ == "__main__":
    main()
