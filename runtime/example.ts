import { type ActorSpec, createSystem, type ReplyTo } from "./mod.ts";

const greeter: ActorSpec<{ name: string; reply: ReplyTo<string> }> = {
  name: "greeter",
  start: () => ({ receive: ({ name, reply }) => reply.reply(`Hello, ${name}!`) }),
};
const system = createSystem();
const ref = system.start({ spec: greeter, restart: "permanent" });
console.log(await system.ask(ref, (reply: ReplyTo<string>) => ({ name: "world", reply }), 1_000));
await system.shutdown();
