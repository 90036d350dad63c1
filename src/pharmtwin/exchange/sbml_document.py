"""Opening an SBML document: read, flatten, promote, expand; refuse what cannot be kept."""

from __future__ import annotations

import os
from pathlib import Path

import libsbml

from pharmtwin.exchange.evaluate import ExchangeError

#: packages whose content does not change what a model computes (in Level 2 they are annotations, yet called required)
HARMLESS = {"layout", "render", "l3v2extendedmath", "groups", "annot"}
UNITS = {"litre": "L", "liter": "L", "mole": "mol", "gram": "g", "second": "s", "dimensionless": "1", "metre": "m"}
NOT_STATED = "not stated"


def open_document(source: str | Path) -> libsbml.SBMLDocument:
    """A flat document of Level 2 or 3 without local parameters and function definitions.

    Parameters
    ----------
    source : a path, or the document itself as text (it starts with ``<``).

    Raises
    ------
    ExchangeError : unreadable or invalid XML, Level 1, a required package that is not supported, a composed model
        that cannot be flattened.
    """
    text = str(source)
    if isinstance(source, Path) or not text.lstrip().startswith("<"):
        path = Path(source)
        if not os.path.isfile(path):
            raise ExchangeError(f"there is no SBML file {path}")
        document, shown = libsbml.readSBMLFromFile(str(path)), path.name
    else:
        document, shown = libsbml.readSBMLFromString(text.lstrip()), "the SBML text"
    if document.getModel() is not None and document.getLevel() < 2:
        raise ExchangeError(f"{shown} is SBML Level 1; convert it to Level 2 or 3 (libsbml, COPASI and others do)")
    _raise_errors(document, shown)
    if document.getModel() is None:
        raise ExchangeError(f"{shown} contains no model")
    _flatten(document, shown)
    _check_packages(document, shown)
    _convert(document, "promoteLocalParameters", shown)
    if document.getModel().getNumFunctionDefinitions() and not document.expandFunctionDefinitions():
        raise ExchangeError(f"{shown}: its function definitions cannot be expanded; check that each has a formula")
    return document


def _raise_errors(document: libsbml.SBMLDocument, shown: str) -> None:
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    bad = [e for e in errors if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    bad = [e for e in bad if e.getErrorId() != libsbml.MissingXMLEncoding]  # XML is UTF-8 unless it says otherwise
    if bad:
        lines = "; ".join(f"line {e.getLine()}: {e.getShortMessage()} ({e.getErrorId()})" for e in bad[:5])
        raise ExchangeError(f"{shown} is not valid SBML: {lines}")


def _flatten(document: libsbml.SBMLDocument, shown: str) -> None:
    plugin = document.getPlugin("comp")
    if plugin is None:
        return
    _convert(document, "flatten comp", shown)
    if document.getPlugin("comp") is not None and document.getModel().getPlugin("comp") is not None:
        inner = document.getModel().getPlugin("comp")
        if inner.getNumSubmodels():
            raise ExchangeError(f"{shown} is composed of submodels that libsbml could not flatten; flatten it first")


def _check_packages(document: libsbml.SBMLDocument, shown: str) -> None:
    for i in range(document.getNumPlugins()):
        package = document.getPlugin(i).getPackageName()
        if package not in HARMLESS | {"comp"} and document.getPackageRequired(package):
            raise ExchangeError(f"{shown} needs the SBML package {package!r}, which PharmTwin does not support")
    for i in range(document.getNumUnknownPackages()):
        package = document.getUnknownPackagePrefix(i)
        if document.getPackageRequired(document.getUnknownPackageURI(i)):
            raise ExchangeError(f"{shown} needs the unknown SBML package {package!r}")


def _convert(document: libsbml.SBMLDocument, option: str, shown: str) -> None:
    properties = libsbml.ConversionProperties()
    properties.addOption(option, True)
    if option == "flatten comp":
        properties.addOption("performValidation", False)
    if document.convert(properties) != libsbml.LIBSBML_OPERATION_SUCCESS:
        log = document.getErrorLog()
        why = "; ".join(log.getError(i).getShortMessage() for i in range(log.getNumErrors()))
        raise ExchangeError(f"{shown}: libsbml could not do {option!r}: {why or 'no reason given'}")


def unit_text(model: libsbml.Model, unit: str) -> str:
    """Readable unit of a unit id: the name of its definition, else its id ("not stated" for none)."""
    if not unit:
        return NOT_STATED
    definition = model.getUnitDefinition(unit)
    if definition is not None:
        return definition.getName() or unit
    return UNITS.get(unit, unit)
