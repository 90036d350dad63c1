"""One model description; everything else is derived from it.

``description`` declares states, parameters, fluxes and observables; ``compose`` joins modules through
their ports; ``codegen`` writes right-hand side, Jacobian, sparse LU and parameter derivatives.
"""
