/**
 * Erlang/OTP on one scheduler, from Debian's `erlang-base` where it is installed: the yardstick of this craft.
 *
 * A small module is compiled into a temporary directory; each figure is one run of the virtual machine. The time is taken inside, so starting it
 * does not count. Its processes are preempted and have heaps of their own, which ours are not and have not.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Peer } from "./runtime_peer.ts";

const MODULE = `
-module(holdfast_peer).
-export([main/1]).
main([Question, CountText]) ->
    Count = list_to_integer(atom_to_list(CountText)),
    io:format("~w~n", [figure(Question, Count)]),
    halt().
figure(tells, Count) ->
    Self = self(),
    Consumer = spawn(fun() -> consume(Count, Self) end),
    Producer = spawn(fun() -> produce(Consumer) end),
    Start = erlang:monotonic_time(nanosecond),
    Consumer ! {producer, Producer},
    receive done -> ok end,
    Count * 1.0e9 / (erlang:monotonic_time(nanosecond) - Start);
figure(pingPong, Count) ->
    Self = self(),
    Start = erlang:monotonic_time(nanosecond),
    Ping = spawn(fun() -> ping(Count div 2, Self) end),
    spawn(fun() -> Ping ! {ball, self()}, pong(Ping) end),
    receive done -> ok end,
    Count * 1.0e9 / (erlang:monotonic_time(nanosecond) - Start);
figure(asks, Count) ->
    Answerer = spawn(fun answer/0),
    Each = Count div 16,
    Self = self(),
    Start = erlang:monotonic_time(nanosecond),
    [spawn(fun() -> ask(Answerer, Each), Self ! done end) || _ <- lists:seq(1, 16)],
    [receive done -> ok end || _ <- lists:seq(1, 16)],
    Each * 16 * 1.0e9 / (erlang:monotonic_time(nanosecond) - Start);
figure(idleBytes, Count) ->
    Before = erlang:memory(processes),
    _Idle = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, Count)],
    timer:sleep(200),
    (erlang:memory(processes) - Before) / Count.
consume(Count, Parent) -> receive {producer, Producer} -> Producer ! more, consume(Count, Producer, Parent) end.
consume(0, _, Parent) -> Parent ! done;
consume(Left, Producer, Parent) ->
    receive 999 -> Producer ! more, consume(Left - 1, Producer, Parent);
            _ -> consume(Left - 1, Producer, Parent) end.
produce(Consumer) -> receive more -> burst(0, Consumer), produce(Consumer) end.
burst(1000, _) -> ok;
burst(Index, Consumer) -> Consumer ! Index, burst(Index + 1, Consumer).
ping(0, Parent) -> Parent ! done;
ping(Left, Parent) -> receive {ball, From} -> From ! {ball, self()}, ping(Left - 1, Parent) end.
pong(Ping) -> receive {ball, Ping} -> Ping ! {ball, self()}, pong(Ping) end.
answer() -> receive {From, Tag} -> From ! {Tag, 1}, answer() end.
ask(_, 0) -> ok;
ask(Answerer, Left) ->
    Tag = erlang:monitor(process, Answerer),
    Answerer ! {self(), Tag},
    receive {Tag, _} -> erlang:demonitor(Tag, [flush]) after 5000 -> exit(deadline) end,
    ask(Answerer, Left - 1).
`;

/** The peer, or why it is not here. */
export function erlang(): Peer | { readonly skipped: string } {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  try {
    writeFileSync(join(directory, "holdfast_peer.erl"), MODULE);
    execFileSync("erlc", ["-o", directory, join(directory, "holdfast_peer.erl")]);
  } catch (error) {
    rmSync(directory, { recursive: true });
    return {
      skipped: `Erlang (no erlc here: ${error instanceof Error ? error.message.split("\n")[0] : error})`,
    };
  }
  const run = (question: string, count: number) => {
    const flags = ["-noshell", "+S", "1:1", "+P", "1000000", "-pa", directory];
    const text = execFileSync("erl", [
      ...flags,
      "-eval",
      `holdfast_peer:main([${question}, '${Math.round(count)}'])`,
    ], {
      cwd: directory,
    });
    return Promise.resolve(Number(text.toString()));
  };
  return {
    name: "Erlang/OTP 25, one scheduler",
    scale: 0.5,
    tells: (messages) => run("tells", Math.floor(messages / 1_000) * 1_000),
    pingPong: (messages) => run("pingPong", messages),
    asks: (questions) => run("asks", questions),
    idleBytes: (actors) => run("idleBytes", actors),
    close: () => {
      rmSync(directory, { recursive: true });
      return Promise.resolve();
    },
  };
}
