"""2,000 random models from every module of the library through both engines.

Each case: both engines solve it, agree, close the mass balance, keep amounts from going negative, and a run that is
stopped in its middle and resumed gives what the whole run gives. Models run as tapes (nothing is compiled); one in
twenty also as machine code, which must give the same.

``PHARMTWIN_CASES`` sets the number of models.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from assemblies import Assembly, random_assembly
from numpy.typing import NDArray

from pharmtwin.engine.run import Trajectories, pack, simulate
from pharmtwin.model.balance import mass_error

CASES = int(os.environ.get("PHARMTWIN_CASES", "2000"))
BLOCK = 50
RTOL = {"rosenbrock": 1e-8, "cvode": 1e-10}  # CVODE's error is 10 to 1,000 times its tolerance
AGREE = 2e-5  # of the largest value of the observable
NEGATIVE = 1e-6  # of the dose

Floats = NDArray[np.float64]


def solve(case: Assembly, engine: str, form: str = "tape", part: slice = slice(None), **start: Floats) -> Trajectories:
    """One run of the case (its records of ``part``)."""
    times = case.times[part]
    begin = float(start["at"][0]) if "at" in start else float(case.segment_times[0])
    keep = max(0, int(np.searchsorted(case.segment_times, begin, side="right")) - 1)
    batch = pack(
        case.model,
        [case.parameters[keep:]],
        [case.regimen],
        [times],
        segment_times=[np.concatenate([[begin], case.segment_times[keep + 1 :]])],
        state0=start.get("state0"),
        rate0=start.get("rate0"),
    )
    return simulate(case.model, batch, engine=engine, rtol=RTOL[engine], form=form)


def difference(a: Floats, b: Floats) -> float:
    """Largest difference relative to each observable's largest value."""
    scale = np.maximum(np.abs(b).max(axis=0), 1e-9)
    return float((np.abs(a - b) / scale).max())


def check(seed: int) -> list[str]:
    """What is wrong with case ``seed``: nothing, if the engines are right."""
    case = random_assembly(np.random.default_rng(seed))
    wrong = []
    results = {engine: solve(case, engine) for engine in ("rosenbrock", "cvode")}
    for engine, r in results.items():
        if r.flag[0] != 0:
            wrong.append(f"{engine} failed with flag {r.flag[0]} at {r.stat[0, 2]} h, step {r.stat[0, 3]:.2g} h")
    if wrong:
        return wrong
    a, b = results["rosenbrock"], results["cvode"]
    if (d := difference(a.values, b.values)) > AGREE:
        wrong.append(f"engines differ by {d:.2g}")
    given = sum(d.amount for d in case.regimen)
    amounts = [i for i, s in enumerate(case.model.states) if s.unit in ("mg", "umol") or s.conserved]
    for engine, r in results.items():
        if len(amounts) and (low := float(r.final_state[0, amounts].min())) < -NEGATIVE * given:
            wrong.append(f"{engine}: amount {low:.2g} of a dose of {given:.3g}")
        if (e := float(np.max(np.abs(mass_error(case.model, r.final_state, [case.regimen], case.times[-1:]))))) > 1e-9:
            wrong.append(f"{engine}: mass is off by {e:.2g} of the dose")
    half = len(case.times) // 2
    for engine in results:
        first = solve(case, engine, part=slice(None, half))
        at = case.times[half - 1]
        rest = solve(
            case, engine, part=slice(half, None), at=np.array([at]), state0=first.final_state, rate0=first.final_rate
        )
        joined = np.vstack([first.values, rest.values])
        if (d := difference(joined, results[engine].values)) > AGREE:
            wrong.append(f"{engine}: stopped and resumed differs by {d:.2g}")
    if seed % 20 == 0:
        for engine, r in results.items():
            native = solve(case, engine, form="native")
            if (d := difference(native.values, r.values)) > 1e-7:
                wrong.append(f"{engine}: machine code and tape differ by {d:.2g}")
    return wrong


@pytest.mark.parametrize("block", range(-(-CASES // BLOCK)))
def test_random_models(block: int) -> None:
    found = {seed: check(seed) for seed in range(block * BLOCK, min((block + 1) * BLOCK, CASES))}
    wrong = {seed: problems for seed, problems in found.items() if problems}
    assert not wrong, "\n".join(f"seed {seed}: {'; '.join(p)}" for seed, p in wrong.items())
