/**
 * The cluster as a picture: nodes, the paths between them, and the mirrors with their direction; and the same as
 * tables for whoever does not see it.
 *
 * Nodes stand on an ellipse, so that every pair has a free line of sight. A path is thin and grey; a mirror is an
 * arrow from source to target whose stroke tells its state (whole: replicating; long dashes: resynchronising; dots:
 * not flowing) beside colour and word.
 */
import { html, useEffect, useRef, useState } from "./packaged/preact.js";
import { bytes, seconds } from "./format.js";
import { store } from "./store.js";
import { Badge, LEG, NODE, Shape } from "./words.js";

const CARD = { width: 172, height: 74 };
/** Between a card and the end of a line. */
const GAP = 6;

export function Topology({ status }) {
  const [frame, width] = useWidth();
  const names = Object.keys(status.nodes);
  // Where there is little room, tags of neighbouring arrows stand at different heights.
  const narrow = width < 520;
  const size = narrow ? { width: 400, height: 460 } : { width: 760, height: 400 };
  const places = placed(names, size);
  const mirrors = mirrorsOf(status);
  return html`
    <section class="panel topology" aria-labelledby="topology">
      <div class="panel-head">
        <h2 id="topology">Topology</h2>
        <ul class="legend" aria-hidden="true">
          <li><svg viewBox="0 0 34 8"><line class="mirror good" x1="1" y1="4" x2="33" y2="4" /></svg>replicating</li>
          <li><svg viewBox="0 0 34 8"><line class="mirror busy" x1="1" y1="4" x2="33" y2="4" /></svg>resyncing</li>
          <li><svg viewBox="0 0 34 8"><line class="mirror bad" x1="1" y1="4" x2="33" y2="4" /></svg>not flowing</li>
          <li><svg viewBox="0 0 34 8"><line class="path up" x1="1" y1="4" x2="33" y2="4" /></svg>path</li>
        </ul>
      </div>
      <div ref=${frame}>
        <svg class="map" viewBox=${`0 0 ${size.width} ${size.height}`} role="img" aria-label=${described(
          status,
          mirrors,
        )}>
          <defs>${["good", "busy", "warning", "bad", "quiet"].map((tone) =>
            html`
              <marker key=${tone} id=${`tip-${tone}`} viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6.5"
                markerHeight="6.5" orient="auto-start-reverse">
                <path class=${`tip ${tone}`} d="M0 0 10 5 0 10z" />
              </marker>
            `
          )}</defs>
          ${pairs(names).map(([a, b]) =>
            html`<${Path} key=${`${a} ${b}`} a=${a} b=${b} places=${places} status=${status} />`
          )}
          ${mirrors.map((mirror, index) =>
            html`<${Mirror} key=${`${mirror.group} ${mirror.to}`} mirror=${mirror} places=${places} at=${
              narrow ? index % 2 === 0 ? 0.36 : 0.64 : 0.5
            } />`
          )}
          ${names.map((name) =>
            html`<${NodeCard} key=${name} name=${name} place=${places.get(name)} status=${status} />`
          )}
        </svg>
      </div>
      <${Tables} status=${status} mirrors=${mirrors} />
    </section>
  `;
}

function useWidth() {
  const frame = useRef(null);
  const [width, setWidth] = useState(760);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  return [frame, width];
}

function placed(names, { width, height }) {
  const rx = width / 2 - CARD.width / 2 - 8;
  const ry = height / 2 - CARD.height / 2 - 8;
  // One at the top, the others below it, left to right as they stand in the configuration.
  const angles = names.map((_, index) => -Math.PI / 2 - (2 * Math.PI * index) / names.length);
  const heights = angles.map(Math.sin);
  const [top, bottom] = [Math.min(...heights), Math.max(...heights)];
  return new Map(names.map((name, index) => {
    // Stretched to the whole height: three nodes alone would leave a quarter of it empty.
    const y = bottom === top ? 0 : 2 * (heights[index] - top) / (bottom - top) - 1;
    return [name, { x: width / 2 + rx * Math.cos(angles[index]), y: height / 2 + ry * y }];
  }));
}

function pairs(names) {
  return names.flatMap((a, index) => names.slice(index + 1).map((b) => [a, b]));
}

function mirrorsOf({ groups }) {
  return Object.entries(groups).flatMap(([group, { source, replicas }], index) =>
    Object.entries(replicas).filter(([, { role, leg }]) =>
      source !== null && role !== "source" && leg !== null
    )
      .map(([to, replica]) => ({ group, from: source, to, replica, lane: index }))
  );
}

function described(status, mirrors) {
  const nodes = Object.entries(status.nodes).map(([name, { state }]) => `${name} is ${state}`).join(", ");
  const legs = mirrors.map(({ group, from, to, replica }) =>
    `${group} is mirrored from ${from} to ${to}, ${replica.mode}, ${LEG[replica.leg]?.[1] ?? replica.leg}`
  ).join("; ");
  return `Nodes: ${nodes}. Mirrors: ${legs || "none"}. The same is in the tables below.`;
}

/** Where the line from `from` to `to`, shifted sideways, leaves the card of `from`. */
function edge(from, to, shift) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const [bx, by] = [-uy * shift, ux * shift];
  const reach = (half, base, unit) =>
    Math.abs(unit) < 1e-6 ? Infinity : (half * Math.sign(unit) - base) / unit;
  const along = Math.min(reach(CARD.width / 2 + GAP, bx, ux), reach(CARD.height / 2 + GAP, by, uy));
  return { x: from.x + bx + ux * along, y: from.y + by + uy * along };
}

/** How the two see each other, best first: a path works when either hears the other on it. */
function Path({ a, b, places, status }) {
  const rtt = Object.values(store.cluster.sources).length === 0
    ? null
    : bestRtt(status.nodes[a], status.nodes[b]);
  const up = status.nodes[a].state === "up" && status.nodes[b].state === "up";
  const [from, to] = [edge(places.get(a), places.get(b), 16), edge(places.get(b), places.get(a), -16)];
  const label = { x: from.x + (to.x - from.x) * 0.24, y: from.y + (to.y - from.y) * 0.24 + 4 };
  return html`
    <g>
      <line class=${`path ${up ? "up" : "down"}`} x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />
      <text class="path-text" x=${label.x} y=${label.y}>${up
        ? rtt === null ? "" : `${rtt.toFixed(1)} ms`
        : "no path"}</text>
    </g>
  `;
}

function bestRtt(a, b) {
  const known = [...a.paths, ...b.paths].map(({ rttMs }) => rttMs).filter((rtt) => rtt !== null && rtt > 0);
  return known.length === 0 ? null : Math.min(...known);
}

function Mirror({ mirror, places, at }) {
  const order = [...places.keys()];
  const { group, from, to, replica, lane } = mirror;
  const [tone, word] = LEG[replica.leg] ?? ["quiet", replica.leg];
  // On its own side of the pair's line whichever way it goes: the path has the other side.
  const aside = -10 - lane * 18;
  const shift = order.indexOf(from) < order.indexOf(to) ? aside : -aside;
  const [start, end] = [
    edge(places.get(from), places.get(to), shift),
    edge(places.get(to), places.get(from), -shift),
  ];
  const middle = { x: start.x + (end.x - start.x) * at, y: start.y + (end.y - start.y) * at };
  const text = `${group} · ${replica.mode} · ${word}`;
  const width = text.length * 6.7 + 16;
  return html`
    <g>
      <line class=${`mirror ${tone}`} x1=${start.x} y1=${start.y} x2=${end.x} y2=${end.y}
        marker-end=${`url(#tip-${tone})`} />
      <g transform=${`translate(${middle.x} ${middle.y})`}>
        <rect class=${`tag ${tone}`} x=${-width / 2} y="-11" width=${width} height="22" rx="11" />
        <text class="tag-text" y="4">${text}</text>
      </g>
    </g>
  `;
}

function NodeCard({ name, place, status }) {
  const { state } = status.nodes[name];
  const [tone, word] = NODE[state] ?? ["quiet", state];
  const served = Object.entries(status.groups).filter(([, { source }]) => source === name).map(([group]) =>
    group
  );
  const holds = Object.entries(status.groups).filter(([, { replicas }]) => replicas[name]?.role === "target")
    .map(([group]) => group);
  const line = served.length > 0
    ? `source of ${served.join(", ")}`
    : holds.length > 0
    ? `target of ${holds.join(", ")}`
    : "no role";
  return html`
    <g class=${`node ${tone} ${served.length > 0 ? "source" : ""}`} transform=${`translate(${
      place.x - CARD.width / 2
    } ${place.y - CARD.height / 2})`}>
      <rect class="card" width=${CARD.width} height=${CARD.height} rx="10" />
      <svg x="14" y="14" width="18" height="18">
        <${Shape} tone=${tone} />
      </svg>
      <text class="name" x="40" y="29">${name}</text>
      <text class="state" x=${CARD.width - 14} y="28" text-anchor="end">${word}</text>
      <text class="role" x="14" y="56">${line}</text>
    </g>
  `;
}

function Tables({ status, mirrors }) {
  return html`
    <details class="tables">
      <summary>The same as tables</summary>
      <div class="scroll" role="region" aria-label="Nodes and paths" tabindex="0">
        <table>
          <caption>Nodes and the paths to them</caption>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">State</th>
              <th scope="col">Paths</th>
              <th scope="col">Runtime</th>
              <th scope="col">Its door</th>
            </tr>
          </thead>
          <tbody>${Object.entries(status.nodes).map(([name, node]) =>
            html`
              <tr key=${name}>
                <th scope="row">${name}</th>
                <td>
                  <${Badge} of=${NODE} state=${node.state} />
                </td>
                <td>${node.paths.map(({ address, state, rttMs }) =>
                  html`<div>${address} ${state}${rttMs === null ? "" : `, ${rttMs.toFixed(1)} ms`}</div>`
                )}</td>
                <td>${node.runtime || "-"}</td>
                <td>${store.cluster.sources[name]?.http ?? "-"}</td>
              </tr>
            `
          )}</tbody>
        </table>
      </div>
      <div class="scroll" role="region" aria-label="Mirrors" tabindex="0">
        <table>
          <caption>Mirrors</caption>
          <thead>
            <tr>
              <th scope="col">Group</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">Mode</th>
              <th scope="col">State</th>
              <th scope="col" class="number">Lag</th>
            </tr>
          </thead>
          <tbody>${mirrors.map(({ group, from, to, replica }) =>
            html`
              <tr key=${`${group} ${to}`}>
                <th scope="row">${group}</th>
                <td>${from}</td>
                <td>${to}</td>
                <td>${replica.mode}</td>
                <td>
                  <${Badge} of=${LEG} state=${replica.leg} />
                </td>
                <td class="number">${bytes(replica.lag.bytes)}, ${seconds(replica.lag.seconds)}</td>
              </tr>
            `
          )}</tbody>
        </table>
      </div>
    </details>
  `;
}
