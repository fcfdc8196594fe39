/**
 * The field's historic bugs, each as an edit of the product's source: made in a copy of the tree, so that no switch for
 * them exists in what is shipped. A mutant names the promise that it breaks; a campaign over the copy must find it.
 *
 * `find` stands exactly once in the file, or the mutant is stale and the run says so.
 */

export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** For people: what was forgotten, and in whose product it was lost. */
  readonly story: string;
  /** The promise it breaks; several checkers may see it first. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
  /** Histories within which it is found. */
  readonly seedsMax: number;
  /** Where its fault is likely; default: all. */
  readonly profiles?: string;
}

const LEG_SESSION = "actors/mirror/leg_session.ts";
const TARGET_SESSION = "actors/target/target_session.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    name: "verdict-clears-marks",
    story: "two replicas at one position count as equal, and the marks between them are not copied",
    breaks: "I4",
    seedsMax: 400,
    edits: [{
      file: LEG_SESSION,
      find: "marks: this.#store.volumes.map(({ intentLog }) => intentLog.bitmap(this.node)),",
      replace: `marks: this.#store.volumes.map(({ size, intentLog }) =>
        this.#verdict?.rule === "same_position" || this.#verdict?.rule === "target_behind"
          ? new DirtyBitmap({ size, regionBytes: intentLog.regionBytes })
          : intentLog.bitmap(this.node)
      ),`,
    }],
  },
  {
    name: "clear-on-ack",
    story: "a mark is cleared when the target has applied the write, not when it is stable there",
    breaks: "I4",
    seedsMax: 400,
    edits: [{
      file: LEG_SESSION,
      find: "intentLog.stableUpTo(this.node, this.#progress.stableSeq);",
      replace: "intentLog.stableUpTo(this.node, this.#progress.appliedSeq);",
    }],
  },
  {
    name: "clear-by-stale-report",
    story:
      "a target clears its marks towards a third replica without looking how far that one is reported stable",
    breaks: "I4",
    seedsMax: 400,
    edits: [{
      file: TARGET_SESSION,
      find: "intentLog.clearAllUpTo(node, Math.min(seq, this.#lastSeq));",
      replace: "intentLog.clearAllUpTo(node, Math.max(seq, this.#lastSeq));",
    }],
  },
  {
    name: "intent-after-data",
    story: "a region counts as hot before the record that says so is stable",
    breaks: "I3",
    seedsMax: 600,
    edits: [{
      file: "volume/open_intent_log.ts",
      find: "    return await this.#record.store(\n      encodeHotSet({ clean: false",
      replace:
        "    void this.#record; return null; await this.#record.store(\n      encodeHotSet({ clean: false",
    }],
  },
  {
    name: "evict-before-bits-persist",
    story: "a region leaves the hot set before its bits are stable",
    breaks: "I3",
    seedsMax: 800,
    edits: [{
      file: "volume/open_intent_log.ts",
      find: "if (plan.evicted.length > 0) {",
      replace: "if (plan.evicted.length > 1_000_000) {",
    }],
  },
  {
    name: "up-to-date-before-flush",
    story: "a target calls itself up to date before what was copied is stable",
    breaks: "I12",
    seedsMax: 400,
    edits: [{
      file: "actors/target/window_record.ts",
      find: "const flushed = await store.flush();",
      replace: "const flushed: DiskOutcome = await Promise.resolve(null);",
    }],
  },
  {
    name: "gate-before-record",
    story: "a new source opens its gate before a majority has recorded its generation",
    breaks: "I11",
    seedsMax: 400,
    profiles: "failover,network",
    edits: [{
      file: "actors/failover/states/promoting.ts",
      find: 'if (this.#step === "recording" && term.inForce !== null) {',
      replace: 'if (this.#step === "recording") {',
    }, {
      // Alone it would be harmless: a voter grants a lease only to whose record it holds.
      file: "actors/failover/voter.ts",
      find: 'return refuse("record_missing");',
      replace:
        'return { kind: "grant", grant: { holder: asker.node, incarnation: asker.incarnation, generation, expiresAtMs: nowMs + leaseMs } };',
    }],
  },
  {
    name: "lower-generation-accepted",
    story: "a target takes the stream of a source whose generation was superseded",
    breaks: "I1",
    seedsMax: 600,
    profiles: "failover,network",
    edits: [{
      file: TARGET_SESSION,
      find: "if (generation < this.#host.sealed() || generation === 0) {",
      replace: "if (generation === 0) {",
    }],
  },
  {
    name: "lease-from-answer",
    story: "the source counts its lease from when the answer came, not from before it asked",
    breaks: "I1",
    seedsMax: 600,
    profiles: "failover,network",
    edits: [{
      file: "actors/failover/lease.ts",
      find: "return options.sentAtMs + options.durationMs * (1 - CLOCK_RATE_MARGIN) - CLOCK_STEP_MARGIN_MS;",
      replace: "return options.sentAtMs + options.durationMs * 3;",
    }],
  },
  {
    name: "lease-checked-before-work",
    story: "the lease is looked at when a request comes, not when its answer leaves",
    breaks: "I1",
    seedsMax: 400,
    profiles: "failover,network",
    edits: [{
      file: "actors/mirror/open_requests.ts",
      find: "if (!this.#dropped && !this.#host.leaseRuns()) {",
      replace: "if (false as boolean) {",
    }],
  },
  {
    name: "promote-before-reconciling",
    story: "a candidate does not yield to a member that holds more",
    breaks: "promise 1",
    seedsMax: 600,
    profiles: "failover,network",
    edits: [{
      file: "actors/failover/candidate.ts",
      find: 'if (best !== undefined) return { kind: "yield", row: "yield", to: best.node };',
      replace: "void best;",
    }],
  },
  {
    name: "non-member-promoted",
    story: "a replica that is outside the recorded member set becomes source",
    breaks: "promise 1",
    seedsMax: 400,
    edits: [{
      file: "actors/failover/candidate.ts",
      find: 'if (!isMember(record, node)) return wait("not_member", others);',
      replace: 'if (!isMember(record, node) && others.length > 99) return wait("not_member", others);',
    }],
  },
  {
    name: "resync-overwrites-newer",
    story: "a copy lets go of its range before it is in the stream, and a newer write overtakes it",
    breaks: "I7",
    seedsMax: 800,
    edits: [{
      file: LEG_SESSION,
      find: "const bytes = new Uint8Array(range.length);",
      replace: "const bytes = new Uint8Array(range.length);\n    release();",
    }, {
      file: LEG_SESSION,
      find: "(I7).\n      release();",
      replace: "(I7).",
    }],
  },
  {
    name: "flush-completes-early",
    story: "a flush is answered when nothing is in flight, though what was written is not stable yet",
    breaks: "I13",
    seedsMax: 100,
    edits: [{
      file: "actors/mirror/write_window.ts",
      find: "const stable = Math.min(this.#floors.stable, this.#floors.applied, this.#localStable);",
      replace: "const stable = Math.min(this.#floors.applied, this.#lastSeq);",
    }],
  },
  {
    name: "flush-forgets-a-leg",
    story: "a flush waits for the own disk alone",
    breaks: "I13",
    seedsMax: 100,
    edits: [{
      file: "actors/mirror/write_window.ts",
      find: "const stable = Math.min(this.#floors.stable, this.#floors.applied, this.#localStable);",
      replace: "const stable = Math.min(this.#floors.applied, this.#localStable);",
    }],
  },
  {
    name: "barrier-without-flush",
    story: "a target answers a barrier without making anything stable",
    breaks: "I13",
    seedsMax: 100,
    edits: [{
      file: TARGET_SESSION,
      find: "this.#stall(this.#store.flush(), (outcome) => this.#flushed({ frame, seq, outcome }));",
      replace: "this.#stall(Promise.resolve(null), (outcome) => this.#flushed({ frame, seq, outcome }));",
    }],
  },
  {
    name: "vote-not-persisted",
    story: "a voter answers before its promise is stable",
    breaks: "I6",
    seedsMax: 600,
    edits: [{
      file: "actors/node/vote_files.ts",
      find: "store: (bytes) => record.store(bytes),",
      replace: "store: (bytes) => (void bytes, Promise.resolve(null)),",
    }],
  },
  {
    name: "two-equal-votes",
    story: "one number is promised to two candidates",
    breaks: "I1",
    seedsMax: 1_000,
    profiles: "failover,network",
    edits: [{
      file: "actors/failover/voter.ts",
      find: "if (promised !== null && number <= promised.number) return",
      replace: "if (promised !== null && number < promised.number) return",
    }],
  },
  {
    name: "promise-before-lease-ends",
    story: "a voter promises a new generation while the lease it granted still runs",
    breaks: "I6",
    seedsMax: 400,
    profiles: "failover,network",
    edits: [{
      file: "actors/failover/voter.ts",
      find: "if (grant !== null && grant.expiresAtMs > nowMs && grant.holder !== asker.node) {",
      replace: "if (grant !== null && grant.expiresAtMs > nowMs + 1e9 && grant.holder !== asker.node) {",
    }],
  },
  {
    name: "restarted-voter-promises",
    story: "a voter that restarted forgets the lease that it may have granted",
    breaks: "I6",
    seedsMax: 1_000,
    profiles: "failover,network",
    edits: [{
      file: "actors/failover/voter_machine.ts",
      find: "this.#quietUntilMs = around.nowMs + opened.vote.leaseMs;",
      replace: "this.#quietUntilMs = around.nowMs;",
    }],
  },
  {
    name: "orphan-tail-kept",
    story: "the marks of a target that is ahead are not merged, so its tail stays",
    breaks: "I4",
    seedsMax: 400,
    edits: [{
      file: LEG_SESSION,
      find: "        intentLog.mergeInto(this.node, marks);",
      replace: "        void marks;",
    }],
  },
  {
    name: "generation-used-twice",
    story: "a mirror that was restarted opens its gate again in the generation that it had",
    breaks: "I1",
    seedsMax: 400,
    edits: [{
      file: "actors/mirror/gate.ts",
      find: "if (last !== undefined && last.generation.number >= opening.generation.number) {",
      replace: "if (last !== undefined && last.generation.number > opening.generation.number) {",
    }],
  },
  {
    name: "member-leaves-unrecorded",
    story: "completions go on without a lost member before the smaller set is recorded",
    breaks: "promise 1",
    seedsMax: 600,
    edits: [{
      file: "actors/mirror/membership.ts",
      find: "    for (const member of this.#recorded) byNode.set(member.node, member);\n",
      replace:
        '    for (const member of this.#recorded) if (this.#fitness.get(member.node) !== "lost") byNode.set(member.node, member);\n',
    }],
  },
  {
    name: "uncertain-addition-not-made",
    story: "a member whose addition was asked for and never answered does not count",
    breaks: "promise 1",
    seedsMax: 2_000,
    edits: [{
      file: "actors/mirror/membership.ts",
      find: "for (const member of this.#requested ?? []) {",
      replace: "for (const member of [] as readonly Member[]) {",
    }],
  },
  {
    name: "ack-before-apply",
    story: "a target acknowledges what it has received, not what it has applied",
    breaks: "I2",
    seedsMax: 200,
    edits: [{
      file: TARGET_SESSION,
      find: "    this.#queue.pushFrame(frame);\n",
      replace:
        "    this.#queue.pushFrame(frame);\n    this.#acks.applied = frame.frame;\n    this.#acks.post();\n",
    }],
  },
  {
    name: "intent-failure-goes-on",
    story: "found by this simulator: the log could not keep the intent, and the frame was taken all the same",
    breaks: "I3",
    seedsMax: 400,
    edits: [{
      file: TARGET_SESSION,
      find: "          this.#end(`cannot keep the intent of seq ${frame.seq}: ${outcome.detail}`);\n",
      replace: "",
    }],
  },
  {
    name: "report-clears-unknown",
    story:
      "found by this simulator: a report older than the session cleared marks whose seqs it had forgotten",
    breaks: "I4",
    seedsMax: 1_000,
    edits: [{
      file: TARGET_SESSION,
      find: " || seq < this.#caughtUpSeq",
      replace: "",
    }],
  },
  {
    name: "diverged-for-ever",
    story:
      "found by this simulator: a leg that was refused once is never tried again, whatever a person does",
    breaks: "I10",
    seedsMax: 400,
    edits: [{
      file: "actors/mirror/machine.ts",
      find: 'leg.state.kind === "diverged" && !leg.reachable',
      replace: 'leg.state.kind === "diverged" && leg.node === ""',
    }],
  },
];
