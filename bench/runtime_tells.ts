/** How many messages per second does one actor tell another, all features on? */
import { compare, millions } from "./runtime_peer.ts";
import { erlang } from "./runtime_peer_erlang.ts";
import { holdfast } from "./runtime_peer_holdfast.ts";
import { nact } from "./runtime_peer_nact.ts";
import { xstate } from "./runtime_peer_xstate.ts";

await compare("tells", {
  peers: [holdfast(), nact(), xstate(), erlang()],
  count: 10_000_000,
  show: millions,
});
