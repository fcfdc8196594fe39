/** XState 5: state machines as actors. It has no supervision and no question with an answer. The only file that imports it. */
import { createActor, fromTransition } from "xstate";
import { collectGarbage, heapBytes } from "./runtime_heap.ts";
import { type Peer, perSecond } from "./runtime_peer.ts";

interface Ball {
  readonly type: "ball";
}
const BALL: Ball = { type: "ball" };

export function xstate(): Peer {
  return {
    name: "xstate 5.33.3",
    scale: 0.1,
    async tells(messages) {
      let left = messages;
      let finish: () => void = () => {};
      const consumer = createActor(fromTransition((state: number, _event: Ball) => {
        left -= 1;
        if (left === 0) finish();
        return state;
      }, 0)).start();
      const figure = await perSecond(messages, (done) => {
        finish = done;
        for (let index = 0; index < messages; index++) consumer.send(BALL);
      });
      consumer.stop();
      return figure;
    },
    async pingPong(messages) {
      let left = messages / 2;
      let finish: () => void = () => {};
      const ping = createActor(fromTransition((state: number, event: Ball) => {
        left -= 1;
        if (left <= 0) finish();
        else pong.send(event);
        return state;
      }, 0)).start();
      const pong = createActor(fromTransition((state: number, event: Ball) => {
        ping.send(event);
        return state;
      }, 0)).start();
      const figure = await perSecond(messages, (done) => {
        finish = done;
        pong.send(BALL);
      });
      ping.stop();
      pong.stop();
      return figure;
    },
    idleBytes(actors) {
      const logic = fromTransition((state: number, _event: Ball) => state, 0);
      collectGarbage();
      const before = heapBytes();
      const idle = Array.from({ length: actors }, () => createActor(logic).start());
      collectGarbage();
      const bytes = (heapBytes() - before) / actors;
      for (const actor of idle) actor.stop();
      return Promise.resolve(bytes);
    },
  };
}
