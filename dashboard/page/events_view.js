/** What happened, on all nodes, each with its cause: one timeline, filtered as one likes. */
import { html, useState } from "./packaged/preact.js";
import { clock, count } from "./format.js";
import { nodeNames, store } from "./store.js";
import { Shape } from "./words.js";

const SHOWN_MAX = 300;

/** Kinds by what they mean for a person; anything else is news. */
const TONES = [
  [/crash|failed|lost|refused|diverged|split|not_kept|damaged/, "bad"],
  [/down|suspected|blocked|expelled|left|stopping|killed|demot/, "warning"],
  [/elect|promot|resync|handshak|opening|starting|joining|sealed|vote/, "busy"],
];

export function toneOfEvent({ kind, fields }) {
  const text = `${kind} ${typeof fields.state === "string" ? fields.state : ""} ${
    typeof fields.to === "string" ? fields.to : ""
  }`;
  if (/offline|paused|lagging/.test(text)) return "warning";
  if (/replicating|in_service|peer_up|gate_opened|node_started/.test(text)) return "good";
  return TONES.find(([pattern]) => pattern.test(text))?.[1] ?? "quiet";
}

export function EventsView() {
  const [filter, setFilter] = useState({ node: "", group: "", text: "", trouble: false });
  const [held, setHeld] = useState(null);
  const events = (held ?? store.events).filter((event) => fits(event, filter));
  const set = (name) => (event) =>
    setFilter({
      ...filter,
      [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value,
    });
  const choice = (name, title, options) =>
    html`<label>${title}<select onChange=${set(name)} value=${filter[name]}><option value="">all</option>${
      options.map((option) => html`<option key=${option} value=${option}>${option}</option>`)
    }</select></label>`;
  return html`<section class="panel" aria-labelledby="timeline">
    <div class="panel-head"><h1 id="timeline">Events</h1><span class="quiet">${count(events.length)} of ${
    count(store.events.length)
  }, newest first</span></div>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      ${choice("node", "Node", nodeNames())}
      ${choice("group", "Group", Object.keys(store.cluster.status.groups))}
      <label>Words<input type="search" value=${filter.text} onInput=${
    set("text")
  } placeholder="leg, beta, cause …" /></label>
      <label class="check"><input type="checkbox" checked=${filter.trouble} onChange=${
    set("trouble")
  } />trouble only</label>
      <button type="button" aria-pressed=${held === null ? "false" : "true"} onClick=${() =>
    setHeld(held === null ? store.events : null)}>${held === null ? "Hold" : "Go on"}</button>
    </form>
    <${EventLines} events=${events.slice(0, SHOWN_MAX)} caption="Events of all nodes" />
    ${
    events.length > SHOWN_MAX
      ? html`<p class="quiet">${count(events.length - SHOWN_MAX)} older ones are left out.</p>`
      : null
  }
  </section>`;
}

function fits(event, { node, group, text, trouble }) {
  if (node !== "" && event.node !== node) return false;
  if (group !== "" && event.group !== group) return false;
  if (trouble && !["bad", "warning"].includes(toneOfEvent(event))) return false;
  if (text === "") return true;
  const all = `${event.kind} ${event.node} ${event.group ?? ""} ${event.cause ?? ""} ${
    JSON.stringify(event.fields)
  }`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

export function EventLines({ events, caption }) {
  if (events.length === 0) return html`<p class="quiet">Nothing yet.</p>`;
  return html`
    <div class="scroll" role="region" aria-label=${caption} tabindex="0">
      <table class="events">
        <caption class="visually-hidden">${caption}</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Node</th>
            <th scope="col">Group</th>
            <th scope="col">What</th>
            <th scope="col">Cause and details</th>
          </tr>
        </thead>
        <tbody>${events.map((event) =>
          html`
            <tr key=${`${event.node} ${event.seq}`}>
              <td class="time"><time datetime=${event.at}>${clock(event.at)}</time></td>
              <td>${event.node}</td>
              <td>${event.group ?? "-"}</td>
              <td class="what"><${Shape} tone=${toneOfEvent(event)} /><span>${event.kind.replaceAll(
                "_",
                " ",
              )}</span></td>
              <td>${event.cause === null
                ? null
                : html`<span class="event-cause">${event.cause}</span>`}<${Fields} fields=${event
                .fields} /></td>
            </tr>
          `
        )}</tbody>
      </table>
    </div>
  `;
}

function Fields({ fields }) {
  const entries = Object.entries(fields).filter(([, value]) => value !== null && value !== "");
  if (entries.length === 0) return null;
  return html`<span class="fields">${
    entries.map(([name, value]) =>
      html`<span key=${name}><i>${name}</i> ${
        typeof value === "object" ? JSON.stringify(value) : String(value)
      }</span>`
    )
  }</span>`;
}
