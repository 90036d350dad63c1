"use strict";
(() => {
  const { layout, axis, charts } = JSON.parse(document.getElementById("figures").textContent);
  const config = { displayModeBar: false, responsive: false, showTips: false };
  const narrow = () => window.innerWidth < 600;
  const draw = (node, chart, panel) => {
    const own = panel.layout;
    const merged = { ...layout, ...own, height: chart.height, showlegend: false, legend: undefined, autosize: true };
    for (const name of ["xaxis", "yaxis"]) merged[name] = { ...axis, ...own[name] };
    const { l, r } = merged.margin;
    if (narrow()) merged.margin = { ...merged.margin, l: Math.min(44, l), r: Math.min(8, r) };
    Plotly.react(node, panel.data, merged, config);
  };
  for (const [id, chart] of Object.entries(charts)) {
    const shown = chart.mode === "grid" ? chart.panels : chart.panels.slice(0, 1);
    shown.forEach((panel, i) => draw(document.getElementById(`${id}-${i}`), chart, panel));
  }
  const fit = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.clientWidth && target.clientWidth !== target.drawnWidth) {
        target.drawnWidth = target.clientWidth;
        Plotly.Plots.resize(target);
      }
    }
  });
  for (const node of document.querySelectorAll(".plot")) fit.observe(node);
  for (const select of document.querySelectorAll("select[data-chart]")) {
    select.addEventListener("change", () => {
      const id = select.dataset.chart;
      const panel = charts[id].panels[Number(select.value)];
      draw(document.getElementById(`${id}-0`), charts[id], panel);
    });
  }
  // radio buttons: another case in the same axes, its result in words below; what is heard follows what is seen
  const show = (radio) => {
    const id = radio.dataset.chart, chart = charts[id], panel = chart.panels[Number(radio.value)];
    const node = document.getElementById(`${id}-0`), name = radio.parentNode.textContent.trim();
    node.dataset.alt ??= node.getAttribute("aria-label").replace(/ \([^()]*\)$/, "");
    node.setAttribute("aria-label", `${node.dataset.alt} (${name})`);
    document.getElementById(`${id}-said`).textContent = panel.said;
    draw(node, chart, panel);
  };
  const toggles = [...document.querySelectorAll("fieldset.toggle")];
  for (const toggle of toggles) {
    toggle.hidden = false;
    toggle.addEventListener("change", (event) => show(event.target));
  }
  // a browser that comes back to the page may remember another button than the one drawn
  const chosen = () => toggles.map((toggle) => toggle.querySelector("input:checked"));
  for (const radio of chosen()) if (radio.value !== "0") show(radio);
  // every table as tab-separated text; a cell that a spreadsheet would run as a formula is quoted
  const cell = (c) => {
    const small = c.querySelector("small");
    const main = small ? c.textContent.slice(0, -small.textContent.length) : c.textContent;
    const text = `${main.trim()}${small ? ` (${small.textContent.trim()})` : ""}`.replace(/\s+/g, " ");
    return /^[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  };
  const tsv = (button) => [...button.parentNode.querySelector("table").rows]
    .map((row) => [...row.cells].map(cell).join("\t")).join("\n") + "\n";
  window.pharmtwinTsv = tsv;
  for (const region of document.querySelectorAll(".scroll")) {
    const button = document.createElement("button");
    const name = region.getAttribute("aria-label");
    Object.assign(button, { type: "button", className: "tsv", textContent: "TSV", title: `Save "${name}" as TSV` });
    button.dataset.tsv = name;
    button.setAttribute("aria-label", `Save the table "${name}" as tab-separated text`);
    const frame = document.createElement("div");
    frame.className = "saved";
    region.replaceWith(frame);
    frame.append(button, region);
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([tsv(button)], { type: "text/tab-separated-values" }));
      link.download = `${name.replace(/[^A-Za-z0-9]+/g, "_")}.tsv`;
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }
  const folded = () => document.querySelectorAll("details");
  window.addEventListener("beforeprint", () => {
    for (const toggle of toggles) show(toggle.querySelector("input"));
    for (const d of folded()) { d.dataset.was = d.open ? "1" : ""; d.open = true; }
    for (const p of document.querySelectorAll(".plot")) Plotly.Plots.resize(p);
  });
  window.addEventListener("afterprint", () => {
    for (const d of folded()) d.open = d.dataset.was === "1";
    for (const radio of chosen()) show(radio);
  });
})();
