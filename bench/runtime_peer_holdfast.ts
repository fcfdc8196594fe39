/** Our own runtime under the comparison. */
import { collectGarbage, heapBytes } from "./runtime_heap.ts";
import { type Peer, perSecond } from "./runtime_peer.ts";
import {
  type AskOutcome,
  type ChildSpec,
  createSystem,
  memoryLog,
  type Ref,
  type ReplyTo,
} from "../runtime/mod.ts";

/** Messages told in one go before the consumer says that it has them all: a mailbox is bounded. */
const BURST = 1_000;

function root<M>(name: string, receive: (message: M) => void): ChildSpec<M> {
  return { spec: { name, start: () => ({ receive }) }, restart: "permanent" };
}

function startIdle(): { receive(message: number): void } {
  let sum = 0;
  return {
    receive(message) {
      sum += message;
    },
  };
}

export function holdfast(): Peer {
  const log = memoryLog({ level: "error" });
  return {
    name: "Holdfast",
    async tells(messages) {
      const system = createSystem({ log });
      let left = messages;
      let finish: () => void = () => {};
      const consumer: Ref<number> = system.start(root("consumer", (message: number) => {
        left -= 1;
        if (left === 0) finish();
        else if (message === BURST - 1) producer.tell("more");
      }));
      const producer = system.start(root<string>("producer", () => {
        for (let index = 0; index < BURST; index++) consumer.tell(index);
      }));
      const figure = await perSecond(messages, (done) => {
        finish = done;
        producer.tell("more");
      });
      await system.shutdown();
      return figure;
    },
    async pingPong(messages) {
      const system = createSystem({ log });
      let left = messages / 2;
      let finish: () => void = () => {};
      const ping: Ref<number> = system.start(root("ping", (ball: number) => {
        left -= 1;
        if (left <= 0) finish();
        else pong.tell(ball);
      }));
      const pong = system.start(root("pong", (ball: number) => {
        ping.tell(ball);
      }));
      const figure = await perSecond(messages, (done) => {
        finish = done;
        pong.tell(1);
      });
      await system.shutdown();
      return figure;
    },
    async asks(questions) {
      const system = createSystem({ log });
      let left = questions;
      let finish: () => void = () => {};
      const answerer = system.start(root("answerer", (question: ReplyTo<number>) => question.reply(1)));
      const asker = system.start<AskOutcome<number>>({
        spec: {
          name: "asker",
          start: (context) => ({
            receive() {
              left -= 1;
              if (left <= 0) finish();
              else {context.ask<ReplyTo<number>, number>(
                  answerer,
                  (reply) => reply,
                  5_000,
                  (outcome) => outcome,
                );}
            },
          }),
        },
        restart: "permanent",
      });
      const figure = await perSecond(questions, (done) => {
        finish = done;
        for (let index = 0; index < 16; index++) asker.tell({ ok: true, value: index });
      });
      await system.shutdown();
      return figure;
    },
    async idleBytes(actors) {
      const system = createSystem({ log });
      let bytes = NaN;
      const parent = system.start<() => void>({
        spec: {
          name: "parent",
          start: (context) => ({
            receive(done) {
              collectGarbage();
              const before = heapBytes();
              for (let index = 0; index < actors; index++) {
                context.spawn({ spec: { name: `idle${index}`, start: startIdle }, restart: "permanent" });
              }
              collectGarbage();
              bytes = (heapBytes() - before) / actors;
              done();
            },
          }),
        },
        restart: "permanent",
      });
      await new Promise<void>((resolve) => parent.tell(resolve));
      await system.shutdown();
      return bytes;
    },
  };
}
