"use strict";
(() => {
  const { layout, axis, charts } = JSON.parse(document.getElementById("figures").textContent);
  const config = { displayModeBar: false, responsive: false, showTips: false };
  const narrow = () => window.innerWidth < 600;
  const draw = (node, chart, panel) => {
    const own = panel.layout;
    const merged = { ...layout, ...own, height: chart.height, showlegend: false, legend: undefined, autosize: true };
    for (const name of ["xaxis", "yaxis"]) merged[name] = { ...axis, ...own[name] };
    if (narrow()) merged.margin = { ...layout.margin, l: 44, r: 8 };
    Plotly.react(node, panel.data, merged, config);
  };
  for (const [id, chart] of Object.entries(charts)) {
    const shown = chart.mode === "select" ? chart.panels.slice(0, 1) : chart.panels;
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
  const folded = () => document.querySelectorAll("details");
  window.addEventListener("beforeprint", () => {
    for (const d of folded()) { d.dataset.was = d.open ? "1" : ""; d.open = true; }
    for (const p of document.querySelectorAll(".plot")) Plotly.Plots.resize(p);
  });
  window.addEventListener("afterprint", () => {
    for (const d of folded()) d.open = d.dataset.was === "1";
  });
})();
