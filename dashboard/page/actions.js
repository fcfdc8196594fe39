/**
 * Orders from the page: first the plan, step by step, then a yes, then the outcome as it happens.
 *
 * The plan says what the cluster is going to do and what a client of the volume notices, out of the state that is
 * shown; the node decides anew when the order arrives and may refuse. What cannot be taken back wants the group's
 * name typed. Every order is also shown as the command line that gives it.
 */
import { html, useEffect, useRef, useState } from "./packaged/preact.js";
import { post } from "./door.js";
import { bytes, listed, seconds } from "./format.js";
import { changed, store } from "./store.js";
import { Badge, GROUP } from "./words.js";

const TITLES = {
  mirror_pause: "Pause",
  mirror_resume: "Resume",
  mirror_resync: "Resync",
  switchover: "Switch over",
};

let open = null;

export function ActionButton({ action, label, disabled, children }) {
  const locked = !store.actionsAllowed;
  return html`
    <button type="button" class="action" aria-label=${label} disabled=${disabled || locked}
      title=${locked ? "The page is read-only: allow actions first" : ""} onClick=${() => {
        open = { action, phase: "asking", outcome: null, startedAtMs: 0 };
        changed();
      }}>${children}</button>
  `;
}

export function ActionDialog() {
  const frame = useRef(null);
  const [typed, setTyped] = useState("");
  const isOpen = open !== null;
  useEffect(() => {
    if (isOpen && !frame.current.open) frame.current.showModal();
    if (!isOpen && frame.current.open) frame.current.close();
    if (!isOpen) setTyped("");
  }, [isOpen]);
  const close = () => {
    open = null;
    changed();
  };
  return html`<dialog ref=${frame} aria-labelledby="order" onClose=${close} onCancel=${close}>${
    open === null ? null : html`<${Order} typed=${typed} setTyped=${setTyped} close=${close} />`
  }</dialog>`;
}

function Order({ typed, setTyped, close }) {
  const { action, phase, outcome } = open;
  const group = store.cluster?.status.groups[action.group];
  if (group === undefined) return html`<p>There is no such group any more.</p>`;
  const plan = planOf(action, group);
  const ready = plan.refusal === null && (!plan.typed || typed === action.group);
  return html`<form method="dialog" onSubmit=${(event) => {
    event.preventDefault();
    if (ready && phase === "asking") void carryOut();
  }}>
    <h2 id="order">${TITLES[action.kind]} ${
    action.leg ? `the leg of ${action.group} to ${action.leg}` : action.group
  }${action.to ? ` to ${action.to}` : ""}</h2>
    ${
    phase === "asking"
      ? html`<${Asking} plan=${plan} action=${action} group=${group} typed=${typed} setTyped=${setTyped} />`
      : html`<${Following} group=${group} />`
  }
    ${outcome === null ? null : html`<${Outcome} outcome=${outcome} />`}
    <div class="dialog-buttons">
      <button type="button" onClick=${close}>${phase === "asking" ? "Leave it" : "Close"}</button>
      ${
    phase === "asking"
      ? html`<button type="submit" class="primary" disabled=${!ready}>${TITLES[action.kind]}</button>`
      : null
  }
    </div>
  </form>`;
}

function Asking({ plan, action, group, typed, setTyped }) {
  return html`
    ${action.kind === "switchover" ? html`<${Where} action=${action} group=${group} />` : null}
    ${plan.refusal === null ? null : html`<p class="cause" role="alert">${plan.refusal}</p>`}
    <h3>What happens</h3>
    <ol class="plan">${plan.steps.map((step) => html`<li key=${step}>${step}</li>`)}</ol>
    <p class="notice"><b>Clients</b> ${plan.clients}</p>
    <p class="remedy"><span>The same as a command</span><code>${plan.command}</code></p>
    ${plan.typed
      ? html`
        <label
          class="typed">Type <b>${action.group}</b> to confirm<input value=${typed} onInput=${(event) =>
            setTyped(event.target.value)} autocomplete="off" /></label>
      `
      : null}
  `;
}

function Where({ action, group }) {
  const others = Object.keys(group.replicas).filter((node) => node !== group.source);
  return html`<fieldset class="where"><legend>To which node</legend>${
    others.map((node) =>
      html`
        <label
          key=${node}><input type="radio" name="to" checked=${action.to === node} onChange=${() => {
            open = { ...open, action: { ...action, to: node } };
            changed();
          }} />${node} <small class="quiet">${group.replicas[node].leg ?? "no leg"}, ${group.replicas[node]
            .mode}</small></label>
      `
    )
  }</fieldset>`;
}

/** Out of what is shown now; the node judges again. */
function planOf(action, group) {
  const { source, generation, quorum } = group;
  const name = action.group;
  const legs = action.leg ? [action.leg] : Object.keys(group.replicas).filter((node) => node !== source);
  const legWords = action.leg ? ` --leg ${action.leg}` : "";
  const none = source === null ? `${name} has no source at the moment.` : null;
  switch (action.kind) {
    case "mirror_pause": {
      const members = legs.filter((node) => group.memberSet.includes(node));
      return {
        refusal: none,
        typed: false,
        steps: [
          ...(members.length === 0 ? [] : [
            `Completions are held while ${listed(members)} ${
              members.length > 1 ? "leave" : "leaves"
            } the member set; ${quorum.needed} of ${quorum.of} voters record it`,
          ]),
          `${source} stops shipping to ${listed(legs)}; what is written is marked`,
          "Resuming later ships the marked regions only",
        ],
        clients: members.length > 0
          ? `notice a short hold. Until resumed, completed writes are not on ${listed(members)}.`
          : "notice nothing.",
        command: `holdfast mirror pause ${name}${legWords}`,
      };
    }
    case "mirror_resume":
      return {
        refusal: none,
        typed: false,
        steps: [
          `${source} connects to ${listed(legs)} and both compare what they hold`,
          `The marked regions are copied (${
            legs.map((node) => `${node}: ${bytes(group.replicas[node]?.dirtyBytes ?? 0)}`).join(", ")
          })`,
          "In-order shipping goes on; members join the member set again once they lack nothing",
        ],
        clients: "notice the resync's share of disk and network at most.",
        command: `holdfast mirror resume ${name}${legWords}`,
      };
    case "mirror_resync":
      return {
        refusal: none,
        typed: action.full === true,
        steps: [
          `${listed(legs)} ${legs.length > 1 ? "are" : "is"} compared with ${source} anew`,
          action.full
            ? "All regions are copied, whatever the marks say"
            : "The marked regions are copied again",
          "Until it is done the leg is not promotable",
        ],
        clients: "notice the resync's share of disk and network at most.",
        command: `holdfast mirror resync ${name}${legWords}${action.full ? " --full" : ""}`,
      };
    default: {
      const { to } = action;
      const target = group.replicas[to];
      const refusal = none ??
        (to === undefined
          ? "Choose the node that becomes source."
          : target?.leg === "replicating"
          ? null
          : `${to} is ${target?.leg ?? "without a leg"}: a switchover needs a leg that replicates.`);
      return {
        refusal,
        typed: true,
        steps: [
          `${source} holds new requests and finishes those in flight`,
          `A barrier goes to ${to ?? "the target"}; it applies everything before it and makes it stable`,
          `${source} resigns generation ${generation}; its exports close`,
          `${
            to ?? "The target"
          } asks the voters, ${quorum.needed} of ${quorum.of} promise, and opens generation ${
            generation + 1
          }`,
          `${source ?? "The old source"} becomes a target and catches up`,
        ],
        clients:
          "see a pause and a closed connection, then find the volume at the new source. No completed write is lost.",
        command: `holdfast switchover ${name} --to ${to ?? "NODE"}`,
      };
    }
  }
}

async function carryOut() {
  const { action } = open;
  open = { ...open, phase: "following", startedAtMs: Date.now(), seq: store.events[0]?.at ?? "" };
  changed();
  const mine = open;
  let outcome;
  try {
    outcome = await post("/api/v1/commands", action);
  } catch (error) {
    outcome = {
      ok: false,
      refusal: { message: `Whether it was done is not known: ${error.message}`, remedy: "see the events" },
    };
  }
  // The dialog may have been closed, and another opened, meanwhile.
  if (open?.startedAtMs === mine.startedAtMs) open = { ...open, phase: "done", outcome };
  changed();
}

/** The group as it is, and what happened since the order was given. */
function Following({ group }) {
  const since = store.events.filter(({ at }) => at > open.seq).slice(0, 12).toReversed();
  return html`
    <p role="status">${open.phase === "following"
      ? `Under way for ${seconds(Math.round((Date.now() - open.startedAtMs) / 1000))} …`
      : "Over."}
      <${Badge} of=${GROUP} state=${group.state} /> source <b>${group.source ??
        "none"}</b>, generation <b>${group.generation}</b></p>
    <ol class="plan happened">${since.map((event) =>
      html`<li key=${`${event.node} ${event.seq}`}><b>${event.node}</b> ${event.kind.replaceAll("_", " ")}${
        event.cause ? `: ${event.cause}` : ""
      }</li>`
    )}</ol>
  `;
}

function Outcome({ outcome }) {
  if (outcome.ok) {
    const facts = Object.entries(outcome.result).filter(([, value]) => value !== null)
      .map(([name, value]) => `${name} ${value}`).join(", ");
    return html`<p class="outcome good" role="alert"><b>Done.</b> ${facts}</p>`;
  }
  const { message, remedy, override } = outcome.refusal;
  return html`<p class="outcome bad" role="alert"><b>${message}</b>${
    remedy ?? override
      ? html`<span class="remedy"><span>To do</span><code>${remedy ?? override}</code></span>`
      : null
  }</p>`;
}
