(() => {
  "use strict";
  const charts = [...document.querySelectorAll("script[data-chart]")].map((script) => ({
    box: document.getElementById(script.dataset.chart),
    script,
    hidden: new Set(),
    drawn: false,
  }));

  // Colours are written as var(--name); the page's style knows their values, light and dark.
  const resolve = (value, style) => {
    if (typeof value === "string") {
      return value.startsWith("var(") ? style.getPropertyValue(value.slice(4, -1)).trim() : value;
    }
    if (Array.isArray(value)) {
      return value.map((item) => resolve(item, style));
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, resolve(item, style)]),
      );
    }
    return value;
  };

  const draw = (chart) => {
    const style = getComputedStyle(document.documentElement);
    const figure = resolve(JSON.parse(chart.script.textContent), style);
    for (const trace of figure.data) {
      if (chart.hidden.has(trace.legendgroup)) trace.visible = false;
    }
    chart.drawn = true;
    return Plotly.react(chart.box, figure.data, figure.layout, figure.config);
  };

  const drawAll = () => charts.filter((chart) => !chart.drawn).forEach(draw);

  // Many features make many charts: each is drawn when it comes near.
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const chart = charts.find((one) => one.box === entry.target);
        if (!entry.isIntersecting || !chart) continue;
        watcher.unobserve(entry.target);
        if (!chart.drawn) draw(chart);
      }
    },
    { rootMargin: "1200px" },
  );
  charts.forEach((chart) => watcher.observe(chart.box));
  addEventListener("beforeprint", drawAll);

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    charts.filter((chart) => chart.drawn).forEach(draw);
  });

  for (const button of document.querySelectorAll("button[data-of]")) {
    if (button.getAttribute("aria-pressed") === "false") {
      charts.find((one) => one.box.id === button.dataset.of).hidden.add(button.dataset.group);
    }
    button.addEventListener("click", () => {
      const chart = charts.find((one) => one.box.id === button.dataset.of);
      const isShown = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!isShown));
      if (isShown) chart.hidden.add(button.dataset.group);
      else chart.hidden.delete(button.dataset.group);
      draw(chart);
    });
  }
})();
