/** nact 7: the actor library for Node with supervision and `query`. The only file that imports it. */
import { dispatch, query, spawn, start, stop } from "nact";
import { collectGarbage, heapBytes } from "./runtime_heap.ts";
import { type Peer, perSecond } from "./runtime_peer.ts";

const BURST = 1_000;

export function nact(): Peer {
  return {
    name: "nact 7.6.2",
    scale: 0.03,
    async tells(messages) {
      const system = start();
      let left = messages;
      let finish: () => void = () => {};
      const consumer = spawn(system, (state: number, message: number) => {
        left -= 1;
        if (left === 0) finish();
        else if (message === BURST - 1) dispatch(producer, "more");
        return state;
      }, "consumer");
      const producer = spawn(system, (state: number, _message: string) => {
        for (let index = 0; index < BURST; index++) dispatch(consumer, index);
        return state;
      }, "producer");
      const figure = await perSecond(messages, (done) => {
        finish = done;
        dispatch(producer, "more");
      });
      stop(system);
      return figure;
    },
    async pingPong(messages) {
      const system = start();
      let left = messages / 2;
      let finish: () => void = () => {};
      const ping = spawn(system, (state: number, ball: number) => {
        left -= 1;
        if (left <= 0) finish();
        else dispatch(pong, ball);
        return state;
      }, "ping");
      const pong = spawn(system, (state: number, ball: number) => {
        dispatch(ping, ball);
        return state;
      }, "pong");
      const figure = await perSecond(messages, (done) => {
        finish = done;
        dispatch(pong, 1);
      });
      stop(system);
      return figure;
    },
    async asks(questions) {
      const system = start();
      const answerer = spawn(system, (state: number, message: { sender: never }) => {
        dispatch(message.sender, 1 as never);
        return state;
      }, "answerer");
      const startMs = performance.now();
      const each = Math.ceil(questions / 16);
      await Promise.all(Array.from({ length: 16 }, async () => {
        for (let index = 0; index < each; index++) {
          await query(answerer, (sender) => ({ sender: sender as never }), 5_000);
        }
      }));
      const figure = (each * 16) / ((performance.now() - startMs) / 1_000);
      stop(system);
      return figure;
    },
    idleBytes(actors) {
      const system = start();
      const count = actors;
      collectGarbage();
      const before = heapBytes();
      for (let index = 0; index < count; index++) {
        spawn(system, (state: number) => state, `idle${index}`);
      }
      collectGarbage();
      const bytes = (heapBytes() - before) / count;
      stop(system);
      return Promise.resolve(bytes);
    },
  };
}
