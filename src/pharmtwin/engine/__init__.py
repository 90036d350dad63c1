"""Solvers behind one contract: ``simulate`` and ``simulate_with_sensitivities`` (see ``engine.run``)."""
