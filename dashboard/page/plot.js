/**
 * One plot over the last minutes, and its newest figures as a table. The picture is uPlot's; colours come from the
 * style sheet, and lines differ by dash as well as by colour.
 */
import { html, useEffect, useRef, useState } from "./packaged/preact.js";
import uPlot from "./packaged/uplot.js";
import { clock } from "./format.js";

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const ROWS = 12;
const SPAN_SECONDS = 120;
/** Round numbers of bytes are powers of two. */
const BINARY_STEPS = Array.from({ length: 48 }, (_, power) => 2 ** power);

/** `series`: { at, columns: { name: [] } } · `show`: a value as text */
export function Plot({ title, series, names, show, unit, binary = false }) {
  const frame = useRef(null);
  const plot = useRef(null);
  const columns = names.filter((name) => series?.columns[name] !== undefined);
  const key = columns.join(" ");
  const theme = useTheme();
  const showNow = useRef(show);
  showNow.current = show;
  useEffect(() => {
    if (key === "") return;
    const made = new uPlot(
      optionsFor(key.split(" "), { show: (value) => showNow.current(value), frame: frame.current, binary }),
      [],
      frame.current,
    );
    plot.current = made;
    const observer = new ResizeObserver(([entry]) =>
      made.setSize({ width: entry.contentRect.width, height: 180 })
    );
    observer.observe(frame.current);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [key, theme]);
  useEffect(() => plot.current?.setData([series.at, ...columns.map((name) => series.columns[name])]));
  const newest = series?.at.length ?? 0;
  return html`
    <figure class="plot">
      <figcaption><b>${title}</b><span>${columns.map((name) =>
        html`<span key=${name} class="now">${name} <b>${shown(series.columns[name].at(-1), show)}</b></span>`
      )}</span></figcaption>
      <div ref=${frame} class="canvas" role="img" aria-label=${`${title}: ${
        columns.map((name) => `${name} ${shown(series.columns[name].at(-1), show)}`).join(", ") ||
        "nothing yet"
      }`}>${key === "" ? html`<p class="empty">Nothing yet.</p>` : null}</div>
      <details class="tables">
        <summary>${title} as a table</summary>
        <div class="scroll" role="region" aria-label=${`${title} as a table`} tabindex="0">
          <table>
            <caption>${title}${unit ? `, ${unit}` : ""}, newest first</caption>
            <thead>
              <tr><th scope="col">Time</th>${columns.map((name) =>
                html`<th scope="col" class="number">${name}</th>`
              )}</tr>
            </thead>
            <tbody>${Array.from({ length: Math.min(ROWS, newest) }, (_, back) => newest - 1 - back).map((
              index,
            ) =>
              html`<tr key=${series.at[index]}><th scope="row">${
                clock(series.at[index] * 1000).slice(0, 8)
              }</th>${
                columns.map((name) =>
                  html`<td class="number">${shown(series.columns[name][index], show)}</td>`
                )
              }</tr>`
            )}</tbody>
          </table>
        </div>
      </details>
    </figure>
  `;
}

function shown(value, show) {
  return value === null || value === undefined ? "-" : show(value);
}

function useTheme() {
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const next = () => setTheme((n) => n + 1);
    const media = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("themechange", next);
    media.addEventListener("change", next);
    return () => {
      removeEventListener("themechange", next);
      media.removeEventListener("change", next);
    };
  }, []);
  return theme;
}

function optionsFor(names, { show, frame, binary }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--ink-quiet"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(200, frame.clientWidth),
    height: 180,
    padding: [12, 8, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    scales: {
      x: {
        time: true,
        range: (_, __, max) => [(max ?? Date.now() / 1000) - SPAN_SECONDS, max ?? Date.now() / 1000],
      },
      y: { range: (_, __, max) => [0, Math.max(max ?? 0, 1e-9) * 1.15] },
    },
    axes: [
      { ...axis, size: 28, space: 70, values: (_, ticks) => ticks.map((at) => clock(at * 1000).slice(0, 8)) },
      {
        ...axis,
        size: 74,
        ...(binary ? { incrs: BINARY_STEPS } : {}),
        values: (_, ticks) => ticks.map((tick) => show(tick)),
      },
    ],
    series: [
      {},
      ...names.map((name, index) => ({
        label: name,
        stroke: colour(`--line-${index + 1}`),
        width: 2,
        dash: DASHES[index % DASHES.length],
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}
