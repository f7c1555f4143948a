// The equity curve and the drawdown strip, from the data block of the page. Without this script
// the page has the same figures as a table. Figures are formatted by the server.

const charts = new Map();

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function faded(colour, part) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colour;
  return probe.fillStyle + Math.round(part * 255).toString(16).padStart(2, "0");
}

function axis() {
  return { color: token("--cd-ink-3"), font: { family: token("--cd-font"), size: 11 } };
}

function tooltip(said) {
  return {
    displayColors: false,
    backgroundColor: token("--cd-raised"),
    titleColor: token("--cd-ink-2"),
    bodyColor: token("--cd-ink"),
    borderColor: token("--cd-line-strong"),
    borderWidth: 1,
    callbacks: { label: (item) => said[item.dataIndex] },
  };
}

const lastPoint = {
  id: "lastPoint",
  afterDatasetsDraw(chart) {
    const point = chart.getDatasetMeta(0).data.at(-1);
    if (!point) return;
    const { ctx } = chart;
    ctx.save();
    ctx.fillStyle = faded(token("--cd-accent"), 0.25);
    ctx.beginPath();
    ctx.arc(point.x, point.y, 7, 0, Math.PI * 2);
    ctx.fill();
    ctx.fillStyle = token("--cd-accent");
    ctx.beginPath();
    ctx.arc(point.x, point.y, 3.5, 0, Math.PI * 2);
    ctx.fill();
    ctx.restore();
  },
};

const fixedWidth = (scale) => {
  scale.width = 62;
};

function compact(value, reach) {
  const places = reach < 10 ? 2 : reach < 2000 ? 0 : 1;
  if (Math.abs(value) >= 1000 && reach >= 2000) return `${(value / 1000).toFixed(reach < 20000 ? 1 : 0)}k`;
  return value.toLocaleString("en", { minimumFractionDigits: reach < 10 ? places : 0, maximumFractionDigits: places });
}

function options(said, scales) {
  return {
    responsive: true,
    maintainAspectRatio: false,
    animation: false,
    interaction: { mode: "index", intersect: false },
    layout: { padding: { top: 8, left: 6 } },
    plugins: { legend: { display: false }, tooltip: tooltip(said) },
    scales,
  };
}

function equityChart(canvas, data) {
  const accent = token("--cd-accent");
  const values = data.equity.map(Number);
  const reach = Math.max(...values) - Math.min(...values);
  return new window.Chart(canvas, {
    type: "line",
    plugins: [lastPoint],
    data: {
      labels: data.labels,
      datasets: [
        {
          data: values,
          borderColor: accent,
          borderWidth: 2,
          pointRadius: 0,
          pointHitRadius: 12,
          fill: "start",
          clip: false,
          backgroundColor: faded(accent, 0.1),
        },
      ],
    },
    options: options(data.equitySaid, {
      x: { display: false },
      y: {
        position: "right",
        afterFit: fixedWidth,
        grace: "8%",
        border: { display: false },
        grid: { color: token("--cd-line"), drawTicks: false },
        ticks: { ...axis(), maxTicksLimit: 5, padding: 8, callback: (value) => compact(value, reach) },
      },
    }),
  });
}

function drawdownChart(canvas, data) {
  const loss = token("--cd-down");
  const values = data.drawdown.map(Number);
  const deepest = Math.min(...values, -0.5);
  const step = 10 ** Math.floor(Math.log10(-deepest));
  const floor = -Math.ceil(-deepest / step) * step;
  return new window.Chart(canvas, {
    type: "line",
    data: {
      labels: data.labels,
      datasets: [
        {
          data: values,
          borderColor: loss,
          borderWidth: 1.25,
          pointRadius: 0,
          pointHitRadius: 12,
          fill: "origin",
          backgroundColor: faded(loss, 0.14),
        },
      ],
    },
    options: options(data.drawdownSaid, {
      x: {
        border: { display: false },
        grid: { display: false },
        ticks: { ...axis(), maxRotation: 0, autoSkip: true, align: "inner", maxTicksLimit: window.innerWidth < 600 ? 4 : 8, padding: 6 },
      },
      y: {
        position: "right",
        max: 0,
        min: floor,
        afterFit: fixedWidth,
        border: { display: false },
        grid: { color: token("--cd-line"), drawTicks: false },
        ticks: { ...axis(), count: 3, padding: 8, callback: (value) => (value ? `−${Math.abs(value).toFixed(step < 1 ? 1 : 0)} %` : "0 %") },
      },
    }),
  });
}

function draw() {
  for (const chart of charts.values()) chart.destroy();
  charts.clear();
  for (const place of document.querySelectorAll("[data-charts]")) {
    const block = document.getElementById(place.dataset.charts);
    if (!block || !window.Chart) continue;
    place.classList.add("drawn");
    const data = JSON.parse(block.textContent);
    const kinds = { "equity-chart": equityChart, "drawdown-chart": drawdownChart };
    for (const canvas of place.querySelectorAll("canvas")) {
      charts.set(canvas.id, kinds[canvas.id](canvas, data));
    }
  }
}

draw();
document.fonts?.ready.then(draw);
document.addEventListener("live:swapped", (event) => {
  if (event.detail.id === "equity") draw();
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
