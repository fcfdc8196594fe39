/** How many questions per second are answered, each with a deadline? */
import { compare, millions } from "./runtime_peer.ts";
import { erlang } from "./runtime_peer_erlang.ts";
import { holdfast } from "./runtime_peer_holdfast.ts";
import { nact } from "./runtime_peer_nact.ts";
import { xstate } from "./runtime_peer_xstate.ts";

await compare("asks", { peers: [holdfast(), nact(), xstate(), erlang()], count: 2_000_000, show: millions });
