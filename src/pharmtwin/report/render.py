"""Pages to HTML text: templates, style, script and the figure library in one file without any outside request."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pharmtwin.facts import resource_path
from pharmtwin.report.blocks import Chart, Page, Panel
from pharmtwin.report.figures import AXIS, LAYOUT
from pharmtwin.report.index import index_page, stage_pages
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.legends import legend
from pharmtwin.report.twin_page import twin_page
from pharmtwin.report.words import page_name

BUNDLE = "report/plotly-basic.min.js"


def script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _charts(page: Page) -> list[Chart]:
    blocks = [*page.top, *(b for s in page.sections for b in s.blocks)]
    charts = [b for b in blocks if isinstance(b, Chart)]
    if len({c.id for c in charts}) < len(charts):
        raise ValueError("two charts of one page have the same id")
    return charts


def _figures(charts: list[Chart]) -> dict[str, Any]:
    """What the page's script needs: the shared layout once, then each chart's panels."""

    def panel(p: Panel) -> dict[str, Any]:
        return {"data": p.data, "layout": p.layout, **({"said": p.said} if p.said else {})}

    drawn = {c.id: {"mode": c.mode, "height": c.height, "panels": [panel(p) for p in c.panels]} for c in charts}
    return {"layout": LAYOUT, "axis": AXIS, "charts": drawn}


def _tied(value: Any) -> Any:
    """Keep number and per cent sign on one line."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value


def templates() -> Environment:
    """The templates of the report: every text is escaped, an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("pharmtwin.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_tied,
    )
    environment.filters["unescaped"] = html.unescape  # panel labels are escaped for plotly; the template escapes again
    return environment


def digest(script: str) -> str:
    """What the page's policy allows: this very script by its hash, so that no other can run, wherever it came from."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')}'"


def _own(name: str) -> Markup:
    return Markup((files("pharmtwin.report") / "templates" / name).read_text(encoding="utf-8"))


def render(page: Page, environment: Environment) -> str:
    """HTML text of one page, by the templates of :func:`templates`."""
    charts = _charts(page)
    bundle = Markup(resource_path(BUNDLE).read_text(encoding="utf-8")) if charts else Markup("")
    library, script = f"/* bundle begins */{bundle}/* bundle ends */", "\n" + _own("report.js")
    return environment.get_template("page.html.j2").render(
        page=page,
        allowed=" ".join(digest(text) for text in ([library] if charts else []) + [script]),
        legends={c.id: legend(c) for c in charts},
        figures=script_json(_figures(charts)),
        css=_own("report.css"),
        script=script,
        bundle=bundle,
    )


def build_report(inputs: ReportInputs) -> dict[str, str]:
    """Relative file name -> HTML text: ``index.html``, a page a stage, ``twins/<twin>.html`` for every paged twin.

    Each page stands alone: no request leaves it (a content security policy in the page forbids any).
    Equal inputs give equal bytes. Raises ValueError where two twins would share a file name.
    """
    environment = templates()
    cohort = {"index.html": index_page(inputs), **stage_pages(inputs)}
    pages = {name: render(page, environment) for name, page in cohort.items()}
    for twin in inputs.paged_twins:
        name = f"twins/{page_name(twin)}"
        if name in pages:
            raise ValueError(f"two twins would both have the page {name}")
        pages[name] = render(twin_page(inputs, twin), environment)
    return pages
