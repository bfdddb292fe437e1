// Charts that can be read value by value and drawn wider: uPlot in place of the picture that came with the page.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const language = document.documentElement.lang;
const BYTES = language === "fr" ? ["o", "ko", "Mo", "Go", "To"] : ["B", "kB", "MB", "GB", "TB"];
const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });

function amount(value, unit) {
  if (unit !== "bytes") return plain.format(value);
  let step = 0;
  while (value >= 999.5 && step < BYTES.length - 1) (value /= 1000), step++;
  return `${plain.format(value)}\u00a0${BYTES[step]}`;
}

function draw(figure) {
  const told = JSON.parse(figure.dataset.chart);
  const plot = figure.querySelector(".plot");
  if (told.starts.length < 2) return;
  const place = document.createElement("div");
  place.className = "drawn";
  const readout = document.createElement("p");
  readout.className = "readout";
  const last = told.words.length - 1;
  const say = (at) => (readout.textContent = `${told.words[at]} – ${told.said[at]}`);
  say(last);

  const numbers = told.starts.map((_, at) => at);
  const bars = uPlot.paths.bars({ size: [0.78, 60] });
  const columns = [{}];
  const data = [numbers];
  if (told.most) {
    columns.push({ fill: css("--seen"), stroke: css("--seen"), width: 0, paths: bars, points: { show: false } });
    data.push(told.most);
  }
  columns.push({ fill: css("--pico-primary-background"), width: 0, paths: bars, points: { show: false } });
  data.push(told.values);

  const muted = css("--pico-muted-color");
  const line = { stroke: css("--pico-muted-border-color"), width: 1 };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const chart = new uPlot(
    {
      width: plot.clientWidth,
      height: 240,
      legend: { show: false },
      cursor: { y: false, points: { show: false } },
      scales: { x: { time: false, range: (_, low, high) => [low - 0.5, high + 0.5] }, y: { range: (_, low, high) => [0, high * 1.05 || 1] } },
      axes: [
        {
          stroke: muted, font, grid: { show: false }, ticks: { show: false }, space: 90,
          incrs: [1, 2, 3, 6, 7, 12, 24],
          values: (_, places) => places.map((at) => told.brief[at] ?? ""),
        },
        { stroke: muted, font, grid: line, ticks: { show: false }, size: 70, values: (_, marks) => marks.map((mark) => amount(mark, told.unit)) },
      ],
      series: columns,
      hooks: { setCursor: [(it) => say(it.cursor.idx ?? last)] },
    },
    data,
    place,
  );
  plot.replaceWith(readout, place);
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 240 })).observe(place);
  return () => (chart.destroy(), place.replaceWith(plot), readout.remove(), draw(figure));
}

let again = [...document.querySelectorAll("figure[data-chart]")].map(draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => again = again.map((fresh) => fresh?.()));

// A choice of place is shown at once; the button is for those without scripts.
const where = document.getElementById("where");
if (where) {
  where.form.querySelector("button").hidden = true;
  where.addEventListener("change", () => where.form.submit());
}
