/** How many messages per second do two actors throw each other, one at a time? */
import { compare, millions } from "./runtime_peer.ts";
import { erlang } from "./runtime_peer_erlang.ts";
import { holdfast } from "./runtime_peer_holdfast.ts";
import { nact } from "./runtime_peer_nact.ts";
import { xstate } from "./runtime_peer_xstate.ts";

await compare("pingPong", {
  peers: [holdfast(), nact(), xstate(), erlang()],
  count: 6_000_000,
  show: millions,
});
