/** A question never hangs: exactly one outcome, the first of answer, refusal and deadline. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { AskOutcome, Ref, ReplyTo } from "../../runtime/mod.ts";
import { kept, type Stage, stage } from "./stage.ts";

type Question = { readonly reply: ReplyTo<string> };

function holder(
  scene: Stage,
  options: { dataMax?: number } = {},
): { ref: Ref<Question>; held: ReplyTo<string>[] } {
  const held: ReplyTo<string>[] = [];
  const { dataMax } = options;
  const ref = scene.system.start<Question>(kept({
    name: "holder",
    ...(dataMax === undefined ? {} : { mailbox: { lane: () => "data" as const, dataMax } }),
    start: () => ({ receive: ({ reply }) => void held.push(reply) }),
  }, "temporary"));
  return { ref, held };
}

const tell = (outcome: AskOutcome<string>) =>
  outcome.ok ? `answer ${outcome.value}` : `no answer: ${outcome.error}`;

function asker(scene: Stage, target: Ref<Question>, deadlineMs: number): Ref<string> {
  return scene.system.start(kept(scene.player("asker", {
    received: (message, context) => {
      if (message === "ask") context.ask(target, (reply) => ({ reply }), deadlineMs, tell);
    },
  })));
}

test("ask: the answer comes as a message, later answers are ignored", () => {
  const scene = stage();
  const { ref, held } = holder(scene);
  asker(scene, ref, 100).tell("ask");
  scene.world.settle();
  held[0]?.reply("1");
  held[0]?.reply("2");
  scene.world.advance(1_000);
  assert.deepEqual(scene.heard(), ["asker starts", "asker gets ask", "asker gets answer 1"]);
});

test("ask: without an answer the deadline speaks, exactly then, and an answer after it is ignored", () => {
  const scene = stage();
  const { ref, held } = holder(scene);
  asker(scene, ref, 100).tell("ask");
  scene.world.advance(99);
  assert.deepEqual(scene.heard(), ["asker starts", "asker gets ask"]);
  scene.world.advance(1);
  held[0]?.reply("late");
  scene.world.advance(1_000);
  assert.deepEqual(scene.heard(), ["asker gets no answer: deadline"]);
});

test("ask: an old reply is never taken for the answer to a newer question", () => {
  const scene = stage();
  const { ref, held } = holder(scene);
  const asking = asker(scene, ref, 100);
  asking.tell("ask");
  scene.world.settle();
  held[0]?.reply("first");
  asking.tell("ask");
  scene.world.settle();
  held[0]?.reply("first again");
  scene.world.settle();
  assert.equal(scene.heard().filter((line) => line.includes("answer")).length, 1);
});

test("ask: a dead target is not_running and a full one refused, both at once", async () => {
  const scene = stage();
  const { ref } = holder(scene, { dataMax: 1 });
  const asking = asker(scene, ref, 100);
  ref.tell({ reply: { reply: () => {} } });
  const refused = await scene.system.ask<Question, string>(ref, (reply) => ({ reply }), 100);
  assert.deepEqual(refused, { ok: false, error: "refused" });
  scene.system.kill("holder");
  scene.world.settle();
  asking.tell("ask");
  scene.world.settle();
  assert.equal(scene.heard().at(-1), "asker gets no answer: not_running");
});

test("ask: a question waiting in the mail of a crashed actor is answered by its next incarnation", () => {
  const scene = stage();
  const ref = scene.system.start<Question | "boom">(kept({
    name: "t",
    start: (context) => ({
      receive(message) {
        if (message === "boom") throw new Error("boom");
        message.reply.reply(`by incarnation ${context.incarnation}`);
      },
    }),
  }));
  ref.tell("boom");
  asker(scene, ref as Ref<Question>, 100).tell("ask");
  scene.world.settle();
  assert.equal(scene.heard().at(-1), "asker gets answer by incarnation 2");
});

test("ask: an answer keeps its place among what the answerer told before it", () => {
  const scene = stage();
  const back: { ref: Ref<string> | undefined } = { ref: undefined };
  const ref = scene.system.start<Question>(kept({
    name: "t",
    start: () => ({
      receive({ reply }) {
        back.ref?.tell("before");
        reply.reply("x");
        back.ref?.tell("after");
      },
    }),
  }));
  back.ref = asker(scene, ref, 100);
  back.ref.tell("ask");
  scene.world.settle();
  assert.deepEqual(scene.heard().slice(2), ["asker gets before", "asker gets answer x", "asker gets after"]);
});

test("ask: doors get a promise that always resolves, also when the system shuts down", async () => {
  const scene = stage();
  const { ref } = holder(scene);
  const waiting = scene.system.ask<Question, string>(ref, (reply) => ({ reply }), 1e6);
  scene.world.settle();
  await Promise.all([scene.system.shutdown(), scene.world.settleAwaiting()]);
  assert.deepEqual(await waiting, { ok: false, error: "deadline" });
  assert.equal(scene.world.clock.nextDeadlineMs, undefined, "no timer is left behind");
});

test("ask: in any mix each question has one outcome: the answer if it comes before the deadline, else that, exactly then", () => {
  interface Step {
    readonly askAtMs: number;
    readonly durationMs: number;
    /** After the question; null: never. */
    readonly answerMs: number | null;
  }
  type Asked = { readonly step: Step; readonly reply: ReplyTo<string> } | {
    readonly answer: ReplyTo<string>;
  };
  const step: fc.Arbitrary<Step> = fc.record({
    askAtMs: fc.integer({ min: 0, max: 30 }),
    durationMs: fc.constantFrom(5, 10, 10.5, 50),
    answerMs: fc.option(fc.integer({ min: 0, max: 60 })),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.nat(1e6), (steps, seed) => {
    const { world, system } = stage({ seed, shuffled: true });
    const answerer = system.start<Asked>(kept({
      name: "answerer",
      start: (context) => ({
        receive(message) {
          if ("answer" in message) message.answer.reply("x");
          else if (message.step.answerMs !== null) {
            context.after(message.step.answerMs, { answer: message.reply });
          }
        },
      }),
    }));
    const outcomes = new Map<Step, string[]>();
    system.start<Step | null>(kept({
      name: "asker",
      start(context) {
        for (const planned of steps) context.after(planned.askAtMs, planned);
        return {
          receive(planned) {
            if (planned === null) return;
            context.ask(
              answerer,
              (reply: ReplyTo<string>) => ({ step: planned, reply }),
              planned.durationMs,
              (outcome) => {
                const text = `${outcome.ok ? "answer" : outcome.error} after ${
                  context.now() - planned.askAtMs
                }`;
                outcomes.set(planned, [...outcomes.get(planned) ?? [], text]);
                return null;
              },
            );
          },
        };
      },
    }));
    world.advance(200);
    for (const planned of steps) {
      const { durationMs, answerMs } = planned;
      const texts = outcomes.get(planned) ?? [];
      assert.equal(texts.length, 1, `one outcome: ${texts}`);
      if (answerMs !== null && answerMs < durationMs) assert.equal(texts[0], `answer after ${answerMs}`);
      else if (answerMs !== durationMs) assert.equal(texts[0], `deadline after ${durationMs}`);
    }
  }));
});
