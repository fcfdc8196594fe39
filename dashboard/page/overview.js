/** The first view: is the data safe, is the service up and where, is anything recovering, what must I do. */
import { html } from "./packaged/preact.js";
import { bytes, count, seconds } from "./format.js";
import { EventLines } from "./events_view.js";
import { LegBadge, Resync } from "./group_view.js";
import { throughputOf } from "./history.js";
import { Plot } from "./plot.js";
import { store } from "./store.js";
import { Topology } from "./topology.js";
import { Badge, findings, GROUP, safety, Shape } from "./words.js";

export function Overview() {
  const { status } = store.cluster;
  return html`
    <h1 class="visually-hidden">Overview of ${status.cluster}</h1>
    <${Health} status=${status} />
    <div class="columns wide-left">
      <${Topology} status=${status} />
      <div class="stack">
        ${Object.entries(status.groups).map(([name, group]) =>
          html`<${GroupCard} key=${name} name=${name} group=${group} />`
        )}
      </div>
    </div>
    <section class="panel" aria-labelledby="recent">
      <div class="panel-head"><h2 id="recent">Lately</h2><a href="#/events">All events</a></div>
      <${EventLines} events=${store.events.slice(0, 8)} caption="The newest events" />
    </section>
  `;
}

function Health({ status }) {
  const found = findings(status);
  const worst = found[0]?.tone ?? "good";
  const groups = Object.entries(status.groups);
  const up = Object.values(status.nodes).filter(({ state }) => state === "up").length;
  const all = Object.keys(status.nodes).length;
  const served = groups.filter(([, { source }]) => source !== null);
  const title = worst === "good"
    ? "All is well"
    : worst === "bad"
    ? "Something needs you"
    : worst === "busy"
    ? "Recovering by itself"
    : "In service, not at full strength";
  return html`
    <section class=${`banner ${worst}`} aria-labelledby="health">
      <${Shape} tone=${worst} />
      <div class="banner-body">
        <h2 id="health">${title}</h2>
        <ul class="facts">
          ${groups.map(([name, group]) => {
            const [tone, text] = safety(group);
            return html`<li key=${name}><${Shape} tone=${tone} /><span>${
              groups.length > 1 ? `${name}: ` : ""
            }${text}</span></li>`;
          })}
          <li><${Shape} tone=${served.length === groups.length
            ? "good"
            : "bad"} /><span>${served.length === groups.length
            ? served.map(([name, { source }]) => `${name} is served by ${source}`).join("; ") || "no groups"
            : `Not served: ${
              groups.filter(([, { source }]) => source === null).map(([name]) => name).join(", ")
            }`}. ${up} of ${all} nodes up.</span></li>
        </ul>
        ${found.length === 0 ? null : html`<ul class="findings" aria-label="What is not fine">
            ${
          found.map(({ tone, subject, cause, remedy }) =>
            html`
              <li key=${subject}>
                <${Shape} tone=${tone} />
                <div><b>${subject}</b>${cause ? `: ${cause}` : ""}${remedy
                  ? html`<div class="remedy"><span>To do</span><code>${remedy}</code></div>`
                  : null}</div>
              </li>
            `
          )
        }</ul>`}
      </div>
    </section>
  `;
}

function GroupCard({ name, group }) {
  const { source, generation, quorum, volumes, replicas } = group;
  const busy = Object.entries(replicas).filter(([, { resync }]) => resync !== null);
  return html`
    <section class="panel" aria-label=${`Group ${name}`}>
      <div class="panel-head">
        <h2><a href=${`#/group/${encodeURIComponent(name)}`}>${name}</a></h2>
        <${Badge} of=${GROUP} state=${group.state} />
      </div>
      <dl class="facts-grid">
        <div><dt>Source</dt><dd class="big">${source ?? "none"}</dd></div>
        <div><dt>Generation</dt><dd class="big">${generation}</dd></div>
        <div><dt>Quorum</dt><dd class="big">${quorum.votes}<small> of ${quorum.of}${quorum.held
          ? ""
          : ", not held"}</small></dd></div>
        <div><dt>${Object.keys(volumes).length === 1 ? "Volume" : "Volumes"}</dt><dd class="big">${Object
          .entries(volumes).map(([volume, { size }]) =>
            html`<span key=${volume}>${volume} <small>${bytes(size)}</small></span>`
          )}</dd></div>
      </dl>
      <ul class="legs">
        ${Object.entries(replicas).filter(([, { role }]) => role !== "source").map(([node, replica]) =>
          html`
            <li
              key=${node}><b>${node}</b><span class="quiet">${replica
                .mode}</span><${LegBadge} replica=${replica} /><span class="lag">${lagText(
                  replica,
                )}</span></li>
          `
        )}
      </ul>
      <${Plot} title="Throughput" series=${throughputOf(Object.keys(volumes))} names=${[
        "written",
        "read",
      ]} binary show=${(v) => `${bytes(v)}/s`} />
      ${busy.map(([node, { resync }]) => html`<${Resync} key=${node} node=${node} resync=${resync} />`)}
    </section>
  `;
}

function lagText({ leg, lag, dirtyBytes }) {
  if (leg === "replicating") {
    return lag.writes === 0
      ? "no lag"
      : `${count(lag.writes)} ${lag.writes === 1 ? "write" : "writes"}, ${bytes(lag.bytes)}, ${
        seconds(lag.seconds)
      } behind`;
  }
  return dirtyBytes > 0 ? `${bytes(dirtyBytes)} to ship` : "";
}
