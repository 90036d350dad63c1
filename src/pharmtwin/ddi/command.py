"""``pharmtwin ddi static PERPETRATOR VICTIM ...``: static models of ICH M12 as a decision table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from pharmtwin.ddi.decision import Row, decision_table
from pharmtwin.ddi.from_drugs import Inputs, add_perpetrator, add_victim
from pharmtwin.ddi.static_basic import FDA_2020, M12
from pharmtwin.ddi.static_mechanistic import ceiling, physiology

COLUMNS = ("drug", "model", "target", "I umol/L", "value", "flagged if", "verdict", "section", "note")


def main(argv: Sequence[str], man: Callable[[], Mapping[str, float]]) -> int:
    """Print the table (TSV; lines with # say where values came from); 1 if it could not be made."""
    arguments = _parser().parse_args(argv)
    made = Inputs()
    try:
        body = man()
        add_perpetrator(made, arguments.perpetrator, body, arguments.dose, arguments.every, arguments.count,
                        arguments.cmax, arguments.regimen)  # fmt: skip
        for name in arguments.victim:
            add_victim(made, name, body, oral=not arguments.iv)
        table = decision_table(made.perpetrators, physiology(), made.victims, arguments.framework)
    except (KeyError, ValueError, FileNotFoundError) as error:
        print(f"ddi static: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1
    if not made.perpetrators:
        print(f"ddi static: {arguments.perpetrator} acts on nothing that its file or the table names", file=sys.stderr)
        return 1
    print(f"# {arguments.framework}; 'no' of a basic model rules a study out, 'yes' is never a size")
    for note in made.notes:
        print(f"# {note}")
    for one in made.victims:
        print(f"# {one.name}: inhibition of all its named enzymes can reach {float(ceiling(one)):.3g}-fold at most")
    print("\t".join(COLUMNS))
    for row in table:
        print("\t".join(_cells(row)))
    return 0


def _cells(row: Row) -> list[str]:
    def number(x: float | None) -> str:
        return "" if x is None else f"{x:.3g}"

    return [row.drug, row.model, row.target, number(row.concentration_umol_per_l), number(row.ratio), row.limit,
            row.verdict, row.section, row.note]  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pharmtwin ddi", description="Static models of interactions (ICH M12).")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    sub = actions.add_parser("static", help="basic models of a perpetrator, and AUC ratios of victims")
    sub.add_argument("perpetrator", help="drug file, name of a shipped drug, or a drug of the table")
    sub.add_argument("victim", nargs="*", help="likewise")
    sub.add_argument("--dose", type=float, default=0.0, metavar="MG", help="of the perpetrator, by mouth (drug files)")
    sub.add_argument("--every", type=float, default=24.0, metavar="H", help="interval of its doses (default 24)")
    sub.add_argument("--count", type=int, default=10, metavar="N", help="how many doses until the peak (default 10)")
    sub.add_argument("--cmax", type=float, default=0.0, metavar="MG/L", help="measured peak instead of the simulated")
    sub.add_argument("--regimen", default="", metavar="TEXT", help="take the perpetrator from the table, e.g. '600 mg'")
    sub.add_argument("--iv", action="store_true", help="victims are given intravenously")
    sub.add_argument("--framework", default=M12, choices=[M12, FDA_2020])
    return parser
