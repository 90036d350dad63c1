"""Exchange of models with other programs: SBML (out and in) and PEtab problems (in).

Needs python-libsbml. The door in is :func:`pharmtwin.exchange.sbml_import.from_sbml`, the door out is
:func:`pharmtwin.exchange.sbml_export.to_sbml`, problems are read by :mod:`pharmtwin.exchange.petab`.
"""
