/** The shell: what is always there (whose word this is, how old, what may be done), and the open view. */
import { html, render, useEffect, useState } from "./packaged/preact.js";
import { seconds } from "./format.js";
import { Overview } from "./overview.js";
import { GroupView } from "./group_view.js";
import { ActorsView } from "./actors_view.js";
import { EventsView } from "./events_view.js";
import { ActionDialog } from "./actions.js";
import { ageSeconds, changed, nodeNames, start, store, subscribe, want } from "./store.js";
import { GROUP, Shape } from "./words.js";

/** Older than this, what is shown is called old. */
const STALE_SECONDS = 5;

function route() {
  const [view = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  return { view: view === "" ? "overview" : view, rest };
}

function App() {
  const [, tick] = useState(0);
  const [here, setHere] = useState(route());
  useEffect(() => subscribe(() => tick((n) => n + 1)), []);
  useEffect(() => {
    const moved = () => {
      setHere(route());
      document.getElementById("view")?.focus({ preventScroll: true });
      scrollTo(0, 0);
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const { view, rest } = here;
  const inspect = view === "actors" && rest.length > 1
    ? { node: rest[0], path: rest.slice(1).join("/") }
    : null;
  useEffect(
    () => want({ actors: view === "actors", regionsOf: view === "group" ? rest[0] : null, inspect }),
    [
      view,
      rest.join("/"),
    ],
  );
  return html`
    <a class="skip" href="#view" onClick=${skip}>To the content</a>
    <${Header} view=${view} rest=${rest} />
    <main id="view" tabindex="-1">
      <${Freshness} />
      ${store.cluster === null ? html`<${Waiting} />` : html`<${View} view=${view} rest=${rest} />`}
    </main>
    <${ActionDialog} />
  `;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("view")?.focus();
}

function View({ view, rest }) {
  switch (view) {
    case "group":
      return html`<${GroupView} name=${rest[0]} key=${rest[0]} />`;
    case "actors":
      return html`<${ActorsView} node=${rest[0] ?? nodeNames()[0]} path=${rest.slice(1).join("/")} />`;
    case "events":
      return html`<${EventsView} />`;
    default:
      return html`<${Overview} />`;
  }
}

function Header({ view, rest }) {
  const groups = Object.entries(store.cluster?.status.groups ?? {});
  const link = (href, text, current) =>
    html`<a href=${href} aria-current=${current ? "page" : undefined}>${text}</a>`;
  return html`
    <header class="bar">
      <div class="brand">
        <img src="/page/icon.svg" alt="" width="28" height="28" />
        <span class="product">Holdfast</span>
        <span class="cluster">${store.cluster?.status.cluster ?? "…"}</span>
      </div>
      <nav aria-label="Views">
        ${link("#/", "Overview", view === "overview")}
        ${groups.map(([name, { state }]) =>
          link(
            `#/group/${encodeURIComponent(name)}`,
            html`<${Shape} tone=${GROUP[state]?.[0] ?? "quiet"} /> ${name}`,
            view === "group" && rest[0] === name,
          )
        )}
        ${link("#/actors", "Actors", view === "actors")}
        ${link("#/events", "Events", view === "events")}
      </nav>
      <div class="tools">
        <${ActionsSwitch} />
        <${ThemeSwitch} />
      </div>
    </header>
  `;
}

/** The page opens read-only: nobody changes a cluster by a slip of the hand. */
function ActionsSwitch() {
  const allowed = store.actionsAllowed;
  return html`
    <button type="button" class="switch" role="switch" aria-checked=${allowed ? "true" : "false"}
      onClick=${() => {
        store.actionsAllowed = !allowed;
        changed();
      }}><span class="knob" aria-hidden="true"></span>${allowed ? "Actions allowed" : "Read-only"}</button>
  `;
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") ?? "auto");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    dispatchEvent(new Event("themechange"));
  }, [theme]);
  const next = { auto: "dark", dark: "light", light: "auto" }[theme];
  const sign = { auto: "◐", dark: "●", light: "○" }[theme];
  return html`
    <button type="button" class="plain" onClick=${() => setTheme(next)}
      aria-label=${`Colours: ${theme}. Change to ${next}`}><span aria-hidden="true">${sign}</span></button>
  `;
}

/** Whose word this is and how old. Said aloud only when it changes from fresh to old or to another node. */
function Freshness() {
  const age = ageSeconds();
  if (store.cluster === null) return null;
  const { servedBy, sources } = store.cluster;
  const old = age !== null && age > STALE_SECONDS;
  const silent = Object.entries(sources).filter(([, { cause }]) => cause !== null).map(([node]) => node);
  const moved = !store.door.isHome;
  return html`
    <div class=${`freshness ${old ? "old" : ""}`}>
      <span role="status">${old
        ? `No node answers since ${Math.round(age)} s; what is shown is of then. Trying on.`
        : moved
        ? `The node that served this page does not answer. Shown by ${servedBy} instead.`
        : `Shown by ${servedBy}.`}</span>
      ${old ? null : html`<span class="ages" title="How old each node's own word is">
        ${
        Object.entries(sources).map(([node, { ageMs, cause }]) =>
          html`<span class=${cause === null ? "" : "gone"}><b>${node}</b> ${
            cause !== null
              ? "silent"
              : ageMs === null
              ? "…"
              : ageMs < 1000
              ? "now"
              : `${seconds(ageMs / 1000)} ago`
          }</span>`
        )
      }</span>`}
      ${silent.length > 0 && !old
        ? html`<span class="visually-hidden">Silent: ${silent.join(", ")}</span>`
        : null}
    </div>
  `;
}

function Waiting() {
  return html`
    <section class="panel">
      <h1>Holdfast</h1>
      <p role="status">${store.trouble === null
        ? "Asking the node …"
        : `No node answers: ${store.trouble}. Trying on.`}</p>
    </section>
  `;
}

document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "auto";
render(html`<${App} />`, document.getElementById("app"));
start();
