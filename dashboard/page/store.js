/**
 * Everything the page knows, in one place, and the clockwork that keeps it fresh.
 *
 * One round a second: the cluster first, then what the open view needs of single nodes. Rounds never overlap, so a
 * slow cluster is asked less often and not more. A page in the background asks every ten seconds.
 */
import { doorInUse, get, learnDoors, Refusal } from "./door.js";
import { addLag, addLoad } from "./history.js";

const ROUND_MS = 1_000;
const HIDDEN_ROUND_MS = 10_000;
const EVENTS_MAX = 1_500;
const CELLS = 96;

export const store = {
  /** ClusterReport; null before the first answer. */
  cluster: null,
  answeredAtMs: 0,
  /** Why the last round failed; null: it did not. */
  trouble: null,
  /** Node → ActorsReport with `atMs`, and the one before it. */
  actors: new Map(),
  actorsBefore: new Map(),
  /** Newest first, of all nodes. */
  events: [],
  lastSeq: new Map(),
  /** `group node` → RegionsReport. */
  regions: new Map(),
  /** ActorStateReport of the actor that is looked at. */
  inspected: null,
  trace: null,
  actionsAllowed: false,
  door: doorInUse(),
};

const listeners = new Set();
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
export function changed() {
  for (const listener of listeners) listener();
}

let wants = { actors: false, regionsOf: null, inspect: null };
/** Said by the open view: what it needs besides the cluster and the events. */
export function want(next) {
  const moved = next.inspect?.node !== wants.inspect?.node || next.inspect?.path !== wants.inspect?.path;
  if (moved) store.inspected = null;
  wants = next;
  if (moved) void refreshInspected().then(changed);
}

export function ageSeconds() {
  return store.answeredAtMs === 0 ? null : (Date.now() - store.answeredAtMs) / 1_000;
}

export function nodeNames() {
  return Object.keys(store.cluster?.status.nodes ?? {});
}

export function start() {
  const round = async () => {
    const startedAtMs = Date.now();
    await refresh();
    changed();
    const every = document.hidden ? HIDDEN_ROUND_MS : ROUND_MS;
    setTimeout(round, Math.max(200, every - (Date.now() - startedAtMs)));
  };
  void round();
  // The age of what is shown grows also while nobody answers.
  setInterval(changed, 1_000);
}

async function refresh() {
  try {
    const cluster = await get("/api/v1/cluster");
    store.cluster = cluster;
    store.answeredAtMs = Date.now();
    store.trouble = null;
    learnDoors(Object.values(cluster.sources).map(({ http }) => http));
    addLag(cluster.status);
  } catch (error) {
    store.trouble = error.message;
    store.door = doorInUse();
    return;
  }
  store.door = doorInUse();
  const answering = nodeNames().filter((node) => store.cluster.sources[node]?.cause === null);
  await Promise.all([
    ...answering.map(refreshEvents),
    ...sources().filter((node) => answering.includes(node)).map(refreshLoad),
    ...(wants.actors ? answering.map(refreshActors) : []),
    ...(wants.regionsOf === null ? [] : [refreshRegions(wants.regionsOf)]),
    refreshInspected(),
    refreshTrace(),
  ]);
}

function sources() {
  const named = Object.values(store.cluster.status.groups).map(({ source }) => source);
  return [...new Set(named)].filter((node) => node !== null);
}

/** What a node does not answer now it may answer in the next round; its age is shown meanwhile. */
async function tried(path, take) {
  try {
    take(await get(path));
  } catch (error) {
    if (!(error instanceof Refusal)) store.trouble = error.message;
  }
}

function about(node, question) {
  return `/api/v1/nodes/${encodeURIComponent(node)}/${question}`;
}

function refreshEvents(node) {
  const after = store.lastSeq.get(node);
  const path = about(node, `events?limit=200${after === undefined ? "" : `&after=${after}`}`);
  return tried(path, ({ events, lastSeq }) => {
    store.lastSeq.set(node, lastSeq);
    if (events.length === 0) return;
    store.events = [...store.events, ...events]
      .sort((a, b) => b.at.localeCompare(a.at) || b.seq - a.seq).slice(0, EVENTS_MAX);
  });
}

function refreshLoad(node) {
  return tried(about(node, "load"), addLoad);
}

function refreshActors(node) {
  return tried(about(node, "actors"), (report) => {
    const before = store.actors.get(node);
    if (before !== undefined) store.actorsBefore.set(node, before);
    store.actors.set(node, { ...report, atMs: Date.now() });
  });
}

function refreshRegions(group) {
  const { source } = store.cluster.status.groups[group] ?? {};
  if (source === null || source === undefined) return;
  return tried(
    about(source, `regions?group=${encodeURIComponent(group)}&cells=${CELLS}`),
    (report) => store.regions.set(group, report),
  );
}

async function refreshInspected() {
  if (wants.inspect === null) return;
  const { node, path } = wants.inspect;
  await tried(about(node, `state?path=${encodeURIComponent(path)}`), (report) => {
    if (wants.inspect?.path === path && wants.inspect.node === node) store.inspected = report;
  });
}

async function refreshTrace() {
  const { trace } = store;
  if (trace === null || !trace.armed) return;
  const after = trace.lines.at(-1)?.seq ?? 0;
  try {
    const report = await get(about(trace.node, `trace?trace=${trace.trace}&after=${after}`));
    if (store.trace !== trace) return;
    store.trace = { ...report, lines: [...trace.lines, ...report.lines].slice(-500) };
  } catch (error) {
    if (error instanceof Refusal && store.trace === trace) store.trace = { ...trace, armed: false };
  }
}
