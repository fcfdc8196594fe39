/** How many bytes does an actor cost that does nothing? */
import { compare } from "./runtime_peer.ts";
import { erlang } from "./runtime_peer_erlang.ts";
import { holdfast } from "./runtime_peer_holdfast.ts";
import { nact } from "./runtime_peer_nact.ts";
import { xstate } from "./runtime_peer_xstate.ts";

await compare("idleBytes", {
  peers: [holdfast(), nact(), xstate(), erlang()],
  count: 50_000,
  show: (figure) => `${figure.toFixed(0)} B`,
});
