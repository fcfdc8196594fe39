/**
 * What states are called and how they look. Never by colour alone: each has a tone, a shape and a word. Pure.
 */
import { html } from "./packaged/preact.js";
import { listed } from "./format.js";

/** Tones: good, busy (going on by itself), warning, bad, quiet. */
export const GROUP = {
  in_service: ["good", "in service"],
  degraded: ["warning", "degraded"],
  electing: ["busy", "electing a source"],
  promoting: ["busy", "promoting"],
  blocked: ["bad", "blocked"],
  diverged: ["bad", "diverged"],
  stopped: ["bad", "stopped"],
};
export const NODE = {
  up: ["good", "up"],
  suspected: ["warning", "suspected"],
  down: ["bad", "down"],
  fenced: ["bad", "fenced"],
  unknown: ["quiet", "unknown"],
};
export const LEG = {
  replicating: ["good", "replicating"],
  resyncing: ["busy", "resyncing"],
  handshaking: ["busy", "handshaking"],
  lagging: ["warning", "lagging"],
  paused: ["warning", "paused"],
  offline: ["bad", "offline"],
  diverged: ["bad", "diverged"],
};
export const DISK = {
  up_to_date: ["good", "up to date"],
  consistent: ["good", "consistent"],
  outdated: ["warning", "outdated"],
  inconsistent: ["busy", "inconsistent"],
  attaching: ["busy", "attaching"],
  empty: ["quiet", "empty"],
  diskless: ["quiet", "diskless"],
  failed: ["bad", "failed"],
  unknown: ["quiet", "unknown"],
};

/** One shape per tone, drawn in a box of 16. */
const SHAPES = {
  good: html`
    <circle cx="8" cy="8" r="6.5" />
    <path class="ink" d="m5 8.2 2.2 2.200L11 6" />
  `,
  busy: html`
    <path d="M8 1.500A6.5 6.5 0 0 1 14.5 8H11A3 3 0 0 0 8 5z" />
    <path d="M8 14.500A6.5 6.5 0 0 1 1.5 8H5a3 3 0 0 0 3 3z" />
  `,
  warning: html`
    <path d="M8 1 15.5 14.500H.5z" />
    <path class="ink" d="M8 6v4m0 2v.5" />
  `,
  bad: html`
    <rect x="1.5" y="1.5" width="13" height="13" rx="2" />
    <path class="ink" d="m5 5 6 6m0-6-6 6" />
  `,
  quiet: html`<circle class="hollow" cx="8" cy="8" r="5.5" />`,
};

export function Shape({ tone }) {
  return html`<svg class=${`shape ${tone}`} viewBox="0 0 16 16" aria-hidden="true">${SHAPES[tone]}</svg>`;
}

export function Badge({ of, state }) {
  const [tone, word] = of[state] ?? ["quiet", state ?? "-"];
  return html`<span class=${`badge ${tone}`}><${Shape} tone=${tone} />${word}</span>`;
}

/** Where every completed write is. */
export function safety({ memberSet, replicas, state }) {
  if (state === "diverged") return ["bad", "Two sources completed writes; both sides are kept."];
  if (memberSet.length === 0) return ["quiet", "No write was completed yet."];
  const silent = memberSet.filter((node) =>
    ["failed", "unknown"].includes(replicas[node]?.disk ?? "unknown")
  );
  const where = `every completed write is on ${listed(memberSet)}`;
  if (silent.length === memberSet.length) {
    return ["bad", `Data not in sight: ${where}, and none of them speaks.`];
  }
  if (memberSet.length > 1) {
    return silent.length === 0
      ? ["good", `Data safe: ${where}.`]
      : ["warning", `Data safe: ${where}, of which ${listed(silent)} does not speak.`];
  }
  return ["warning", `Data on one node: ${where} alone.`];
}

/** What is not fine, worst first: { tone, subject, cause, remedy }. */
export function findings({ groups, nodes }) {
  const found = [];
  for (const [name, group] of Object.entries(groups)) {
    const [tone] = GROUP[group.state] ?? ["quiet"];
    const [, word] = GROUP[group.state] ?? ["", group.state];
    if (tone !== "good") {
      found.push({ tone, subject: `${name} is ${word}`, cause: group.cause, remedy: group.remedy });
    }
    for (const [node, { cause, remedy, leg }] of Object.entries(group.replicas)) {
      if (cause === null || cause === undefined || group.cause?.includes(cause)) continue;
      found.push({ tone: LEG[leg]?.[0] ?? "warning", subject: `${name} on ${node}`, cause, remedy });
    }
  }
  for (const [name, { state, cause, remedy }] of Object.entries(nodes)) {
    const [tone, word] = NODE[state] ?? ["quiet", state];
    if (tone !== "good") {
      found.push({ tone: tone === "quiet" ? "warning" : tone, subject: `${name} is ${word}`, cause, remedy });
    } else if (cause) found.push({ tone: "warning", subject: name, cause, remedy });
  }
  const order = ["bad", "warning", "busy", "quiet", "good"];
  return found.sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}
