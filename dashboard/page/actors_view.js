/**
 * The supervision tree of any node: who waits for what, who was restarted and why; and one actor in close-up: its
 * state as it tells it, and its mail for as long as somebody looks.
 */
import { html, useState } from "./packaged/preact.js";
import { post } from "./door.js";
import { clock, count, rate, seconds } from "./format.js";
import { changed, nodeNames, store } from "./store.js";
import { Shape } from "./words.js";

const MESSAGES_DEFAULT = 200;
const SECONDS_DEFAULT = 30;

export function ActorsView({ node, path }) {
  const report = store.actors.get(node);
  return html`
    <h1 class="visually-hidden">Actors of ${node}</h1>
    <div class=${`columns ${path === "" ? "" : "wide-left"}`}>
      <section class="panel" aria-labelledby="tree">
        <div class="panel-head"><h2 id="tree">Supervision tree</h2>
          <div class="tabs" role="group" aria-label="Node">${nodeNames().map((name) =>
            html`<a key=${name} href=${`#/actors/${encodeURIComponent(name)}`} aria-current=${
              name === node ? "true" : undefined
            }>${name}</a>`
          )}</div></div>
        ${report === undefined
          ? html`<${NoReport} node=${node} />`
          : html`<${Tree} node=${node} report=${report} path=${path} />`}
      </section>
      ${path === ""
        ? null
        : html`<${CloseUp} key=${`${node} ${path}`} node=${node} path=${path} report=${report} />`}
    </div>
  `;
}

function NoReport({ node }) {
  const cause = store.cluster.sources[node]?.cause;
  return html`<p role="status">${cause ? `${node} does not answer: ${cause}.` : "Asking …"}</p>`;
}

function Tree({ node, report, path }) {
  const before = new Map(
    (store.actorsBefore.get(node)?.actors ?? []).map((line) => [line.path, line.messages]),
  );
  const elapsed = (report.atMs - (store.actorsBefore.get(node)?.atMs ?? report.atMs)) / 1_000;
  const silent = store.cluster.sources[node]?.cause;
  return html`
    ${silent
      ? html`<p class="cause">${node} does not answer: ${silent}. Of ${
        seconds((Date.now() - report.atMs) / 1000)
      } ago.</p>`
      : null}
    <div class="scroll" role="region" aria-label=${`Actors of ${node}`} tabindex="0">
      <table class="tree">
        <thead>
          <tr>
            <th scope="col">Actor</th>
            <th scope="col">State</th>
            <th scope="col" class="number"><abbr title="Messages waiting: system lane">Sys</abbr></th>
            <th scope="col" class="number"><abbr title="Messages waiting: control lane">Ctl</abbr></th>
            <th scope="col" class="number"><abbr title="Messages waiting: data lane">Data</abbr></th>
            <th scope="col" class="number">Messages/s</th>
            <th scope="col" class="number">Messages</th>
            <th scope="col" class="number">Restarts</th>
            <th scope="col">Last error</th>
          </tr>
        </thead>
        <tbody>${report.actors.map((line) =>
          html`<${ActorRow} key=${line.path} node=${node} line=${line} chosen=${
            line.path === path
          } perSecond=${
            before.has(line.path) && elapsed > 0
              ? Math.max(0, line.messages - before.get(line.path)) / elapsed
              : null
          } />`
        )}</tbody>
      </table>
    </div>
  `;
}

function toneOf({ state, depth, lastError }) {
  if (["stopped", "failed", "refused"].includes(state)) return state === "stopped" ? "quiet" : "bad";
  if (lastError !== null) return "warning";
  return depth.system + depth.control + depth.data > 100 ? "warning" : "good";
}

function ActorRow({ node, line, chosen, perSecond }) {
  const parts = line.path.split("/");
  const { depth } = line;
  const lane = (waiting) =>
    html`<td class=${`number ${waiting > 0 ? "waiting" : "zero"}`}>${count(waiting)}</td>`;
  return html`<tr class=${chosen ? "chosen" : ""}>
    <th scope="row" style=${`--depth:${parts.length - 1}`}><a class="actor" href=${`#/actors/${
    [node, ...parts].map(encodeURIComponent).join("/")
  }`}
      aria-current=${chosen ? "true" : undefined}><${Shape} tone=${toneOf(line)} /><span>${
    parts.at(-1)
  }</span></a>${line.kind === "supervisor" ? html`<span class="kind">supervisor</span>` : null}</th>
    <td>${line.state}</td>${lane(depth.system)}${lane(depth.control)}${lane(depth.data)}
    <td class="number">${perSecond === null ? "…" : rate(perSecond)}</td><td class="number">${
    count(line.messages)
  }</td>
    <td class=${`number ${line.restarts > 0 ? "waiting" : "zero"}`}>${line.restarts}</td><td class="error">${
    line.lastError ?? ""
  }</td>
  </tr>`;
}

function CloseUp({ node, path, report }) {
  const line = report?.actors.find((each) => each.path === path);
  const seen = store.inspected?.path === path && store.inspected.node === node ? store.inspected : null;
  return html`<section class="panel close-up" aria-labelledby="actor">
    <div class="panel-head"><h2 id="actor">${path.split("/").at(-1)}</h2><a href=${`#/actors/${
    encodeURIComponent(node)
  }`} aria-label="Close the actor">Close</a></div>
    <p class="quiet path-name">${node}: ${path}</p>
    ${
    line === undefined ? null : html`
      <dl class="facts-grid small">
        <div>
          <dt>State</dt>
          <dd>${line.state || "-"}</dd>
        </div>
        <div>
          <dt>Since</dt>
          <dd>${clock(line.since)}</dd>
        </div>
        <div>
          <dt>Messages</dt>
          <dd>${count(line.messages)}</dd>
        </div>
        <div>
          <dt>Restarts</dt>
          <dd>${line.restarts}</dd>
        </div>
      </dl>
            ${line.lastError === null ? null : html`<p class="cause">Last error: ${line.lastError}</p>`}
    `
  }
    <h3>State${
    seen === null ? "" : html`
      <small class="quiet">${" · "}at ${clock(seen.at)}</small>
    `
  }</h3>
    ${
    seen === null
      ? html`<p class="quiet">Asking …</p>`
      : seen.state === null
      ? html`<p class="quiet">It shows nothing of itself.</p>`
      : html`<pre tabindex="0" aria-label="State of the actor">${JSON.stringify(seen.state, null, 2)}</pre>`
  }
    <${Trace} node=${node} path=${path} />
  </section>`;
}

/** A trace ends by its caps, by its button, or when this page no longer asks. */
function Trace({ node, path }) {
  const [caps, setCaps] = useState({ messages: MESSAGES_DEFAULT, seconds: SECONDS_DEFAULT });
  const [trouble, setTrouble] = useState(null);
  const trace = store.trace?.node === node && store.trace.path === path ? store.trace : null;
  const number = (name, max) =>
    html`<label>${name}<input type="number" min="1" max=${max} value=${caps[name]}
    onInput=${(event) => setCaps({ ...caps, [name]: Number(event.target.value) })} /></label>`;
  const begin = async () => {
    setTrouble(null);
    try {
      store.trace = await post(`/api/v1/nodes/${encodeURIComponent(node)}/traces`, {
        path,
        messages: caps.messages,
        ms: caps.seconds * 1_000,
      });
    } catch (error) {
      setTrouble(error.message);
    }
    changed();
  };
  const end = async () => {
    const { trace: id } = trace;
    store.trace = { ...trace, armed: false };
    changed();
    await post(`/api/v1/nodes/${encodeURIComponent(node)}/traces/stop`, { trace: id }).catch((error) =>
      setTrouble(error.message)
    );
  };
  return html`<h3>Mail</h3>
    <div class="trace-caps">
      ${
    trace?.armed
      ? html`
        <button type="button" onClick=${end}>Stop the trace</button><span class="quiet"
          role="status">armed</span>
      `
      : html`
        <button type="button" disabled=${!store.actionsAllowed} onClick=${begin}
          title=${store.actionsAllowed
            ? ""
            : "The page is read-only: allow actions first"}>Trace its mail</button>${number(
              "messages",
              1000,
            )}${number("seconds", 600)}
      `
  }
    </div>
    ${trouble === null ? null : html`<p class="cause" role="alert">${trouble}</p>`}
    ${
    trace === null
      ? null
      : html`<ol class="trace" tabindex="0" aria-label="Messages of the actor" reversed>${
        trace.lines.toReversed().slice(0, 200).map((line) =>
          html`<li key=${line.seq}><time>${clock(line.at)}</time><code>${line.message}</code></li>`
        )
      }</ol>${
        trace.armed
          ? null
          : html`<p class="quiet">The trace has ended after ${
            count(trace.lines.at(-1)?.seq ?? 0)
          } messages.</p>`
      }`
  }`;
}
