/** One group: its replicas, what each lacks and until when, where its marks lie, how fast it is, what can be done. */
import { html } from "./packaged/preact.js";
import { ActionButton } from "./actions.js";
import { bytes, count, percent, rate, seconds } from "./format.js";
import { lagOf, latencies, throughputOf } from "./history.js";
import { Plot } from "./plot.js";
import { store } from "./store.js";
import { Badge, DISK, GROUP, LEG, NODE, safety, Shape } from "./words.js";

export function GroupView({ name }) {
  const group = store.cluster.status.groups[name];
  if (group === undefined) {
    return html`
      <section class="panel">
        <h1>${name}</h1>
        <p>There is no group of that name. <a href="#/">Overview</a></p>
      </section>
    `;
  }
  const [tone, text] = safety(group);
  return html`
    <section class=${`panel group-head ${GROUP[group.state]?.[0] ?? "quiet"}`}>
      <div class="panel-head">
        <h1>${name}</h1>
        <${Badge} of=${GROUP} state=${group.state} />
        <span class="spacer"></span>
        <${ActionButton} action=${{
          kind: "switchover",
          group: name,
        }} disabled=${group.source === null}>Switch over …<//>
      </div>
      <p class="safety"><${Shape} tone=${tone} />${text}</p>
      ${group.cause === null
        ? null
        : html`<p class="because"><b>Because</b> ${group.cause}${
          group.remedy === null
            ? ""
            : html`<span class="remedy"><span>To do</span><code>${group.remedy}</code></span>`
        }</p>`}
      <dl class="facts-grid">
        <div><dt>Source</dt><dd class="big">${group.source ?? "none"}</dd></div>
        <div><dt>Generation</dt><dd class="big">${group.generation}</dd></div>
        <div><dt>Member set</dt><dd class="big">${group.memberSet.join(", ") || "-"}</dd></div>
        <div><dt>Quorum</dt><dd class="big">${group.quorum.votes}<small> of ${group.quorum.of}, ${group.quorum
          .needed} needed</small></dd></div>
        ${Object.entries(group.volumes).map(([volume, { size, nbd }]) =>
          html`
            <div key=${volume}>
              <dt>Volume ${volume}</dt>
              <dd class="big">${bytes(size)}<small class="block">${nbd.join(" ") || "not served"}</small></dd>
            </div>
          `
        )}
      </dl>
    </section>
    <${Replicas} name=${name} group=${group} />
    <${Heat} name=${name} group=${group} />
    <${Plots} name=${name} group=${group} />
  `;
}

/** While no source speaks nobody has a leg; what the node is then says more than a dash. */
export function LegBadge({ replica }) {
  if (replica.leg !== null) return html`<${Badge} of=${LEG} state=${replica.leg} />`;
  return html`<span class="badge quiet"><${Shape} tone="quiet" />${
    replica.role === "source" ? "is the source" : "no leg"
  }</span>`;
}

function Replicas({ name, group }) {
  const entries = Object.entries(group.replicas);
  const busy = entries.filter(([, { resync }]) => resync !== null);
  return html`
    <section class="panel" aria-labelledby="replicas">
      <div class="panel-head"><h2 id="replicas">Replicas</h2><span class="spacer"></span>
        <${ActionButton} action=${{ kind: "mirror_pause", group: name }}>Pause all …<//>
        <${ActionButton} action=${{ kind: "mirror_resume", group: name }}>Resume all …<//>
      </div>
      <div class="scroll" role="region" aria-label="Replicas, table" tabindex="0"><table class="replicas">
        <thead><tr>
          <th scope="col">Node</th><th scope="col">Role</th><th scope="col">Disk</th><th scope="col">Leg</th><th scope="col">Mode</th>
          <th scope="col" class="number">Lag, writes</th><th scope="col" class="number">bytes</th><th scope="col" class="number">time</th>
          <th scope="col" class="number">Dirty</th><th scope="col">Promotable</th><th scope="col" class="number">Position</th><th scope="col">Actions</th>
        </tr></thead>
        <tbody>${entries.map(([node, replica]) =>
          html`<${Replica} key=${node} name=${name} node=${node} replica=${replica} />`
        )}</tbody>
      </table></div>
      ${busy.map(([node, { resync }]) => html`<${Resync} key=${node} node=${node} resync=${resync} />`)}
      ${entries.map(([node, { lastResync, resync }]) =>
        html`<${LastResync} key=${node} node=${node} last=${resync ? null : lastResync} />`
      )}
    </section>
  `;
}

function Replica({ name, node, replica }) {
  const isSource = replica.role === "source";
  const { lag, position } = replica;
  const nodeState = store.cluster.status.nodes[node]?.state ?? "unknown";
  const leg = { group: name, leg: node };
  return html`
    <tr class=${isSource ? "source" : ""}>
      <th scope="row"><a href=${`#/actors/${encodeURIComponent(node)}`}>${node}</a>${nodeState === "up"
        ? null
        : html`
          <${Badge} of=${NODE} state=${nodeState} />
        `}</th>
      <td>${isSource ? html`<b>source</b>` : replica.role}</td>
      <td>
        <${Badge} of=${DISK} state=${replica.disk} />
      </td>
      <td>${isSource
        ? html`<span class="quiet">-</span>`
        : html`<${LegBadge} replica=${replica} />`}${replica.cause && !isSource
        ? html`<div class="leg-cause">${replica.cause}</div>`
        : null}</td>
      <td>${replica.mode}</td>
      <td class="number">${isSource ? "-" : count(lag.writes)}</td>
      <td class="number">${isSource ? "-" : bytes(lag.bytes)}</td>
      <td class="number">${isSource ? "-" : seconds(lag.seconds)}</td>
      <td class="number">${isSource ? "-" : bytes(replica.dirtyBytes)}</td>
      <td>${isSource ? "-" : replica.promotable ? "yes" : "no"}</td>
      <td class="number">${position === null ? "-" : `${position.generation}:${count(position.seq)}`}</td>
      <td>
        <div class="actions">${isSource ? null : html`
          ${replica.leg === "paused"
            ? html`<${ActionButton} action=${{
              kind: "mirror_resume",
              ...leg,
            }} label=${`Resume … the leg to ${node}`}>Resume …<//>`
            : html`<${ActionButton} action=${{
              kind: "mirror_pause",
              ...leg,
            }} label=${`Pause … the leg to ${node}`}>Pause …<//>`}
          <${ActionButton} action=${{
            kind: "mirror_resync",
            full: false,
            ...leg,
          }} label=${`Resync … ${node}`}>Resync …<//>
          <${ActionButton} action=${{
            kind: "switchover",
            group: name,
            to: node,
          }} label=${`Move here …: switch over to ${node}`}>Move here …<//>
        `}</div>
      </td>
    </tr>
  `;
}

/** Never past 100 %, and why when it stands still. */
export function Resync({ node, resync }) {
  const { kind, doneBytes, totalBytes, bytesPerSecond, etaSeconds } = resync;
  const done = percent(doneBytes, totalBytes);
  return html`
    <div class="resync">
      <div
        class="resync-text"><b>Recovering ${node}</b><span>${kind} resync, ${done} %, ${bytes(
          doneBytes,
        )} of ${bytes(totalBytes)}, ${bytes(bytesPerSecond)}/s, ${bytesPerSecond === 0
          ? "stands still: no bytes came through lately"
          : etaSeconds === null
          ? "time unknown"
          : `${seconds(etaSeconds)} left`}</span></div>
      <progress max="100" value=${done} aria-label=${`Resync of ${node}`}>${done} %</progress>
    </div>
  `;
}

function LastResync({ node, last }) {
  if (last === null || last === undefined) return null;
  const took = last.bytesPerSecond > 0 ? ` in ${seconds(last.copiedBytes / last.bytesPerSecond)}` : "";
  return html`
    <p
      class="last-resync"><b>${node}</b>: last resync was ${last.kind}, ${bytes(
        last.copiedBytes,
      )} copied${took} (${last.verdict.replaceAll("_", " ")})</p>
  `;
}

/** Where the marks lie: the darker a cell, the larger its marked share. */
function Heat({ name, group }) {
  const report = store.regions.get(name);
  // After a move the old source's marks are no news.
  if (report === undefined || report.node !== group.source) return null;
  return html`<section class="panel" aria-labelledby="heat">
    <div class="panel-head"><h2 id="heat">Dirty regions</h2><span class="quiet">as ${report.node} marks them; left is offset 0</span></div>
    ${
    report.volumes.flatMap(({ volume, size, towards }) =>
      Object.entries(towards).map(([node, cells]) => {
        const share = cells.reduce((sum, cell) => sum + cell, 0) / Math.max(1, cells.length);
        const dirty = group.replicas[node]?.dirtyBytes ?? 0;
        const text = share === 0 ? "clean" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} % of regions`;
        return html`
          <div class="heat-row" key=${`${volume} ${node}`}>
            <span class="heat-name"><b>${volume}</b> towards <b>${node}</b></span>
            <svg class="heat" viewBox=${`0 0 ${cells.length} 1`} preserveAspectRatio="none" role="img" aria-label=${`${volume}, ${
              bytes(size)
            }: ${text} marked towards ${node}`}>
                      ${cells.map((cell, index) =>
                        cell === 0
                          ? null
                          : html`<rect key=${index} x=${index} y="0" width="1.02" height="1" fill-opacity=${
                            0.25 + 0.75 * Math.sqrt(cell)
                          } />`
                      )}
                    </svg>
            <span class="heat-text">${text}${dirty > 0 ? `, ${bytes(dirty)}` : ""}</span>
          </div>
        `;
      })
    )
  }
  </section>`;
}

const PERCENTILES = ["p50", "p95", "p99"];

function Plots({ name, group }) {
  const volumes = Object.keys(group.volumes);
  const through = throughputOf(volumes);
  const lag = lagOf(name);
  const stages = [...latencies()].filter(([key]) => key.endsWith(" write") || key.endsWith(" flush"));
  return html`
    <section class="panel" aria-labelledby="plots">
      <div
        class="panel-head"><h2 id="plots">Last two minutes</h2><span class="quiet">kept by this page</span></div>
      <div class="plots">
          <${Plot} title="Throughput" series=${through} names=${["written", "read"]} binary show=${(v) =>
            `${bytes(v)}/s`} />
          <${Plot} title="Requests" series=${through} names=${["writes", "reads"]} show=${(v) =>
            `${rate(v)}/s`} />
          ${stages.map(([key, series]) =>
            html`<${Plot} key=${key} title=${`Latency, ${
              key.split(" ").reverse().join(", ")
            }`} series=${series} names=${PERCENTILES} show=${seconds} />`
          )}
          <${Plot} title="Lag" series=${lag} names=${Object.keys(lag?.columns ?? {})} binary show=${bytes} />
        </div>
    </section>
  `;
}
