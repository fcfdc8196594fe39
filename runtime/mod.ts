/**
 * The runtime's public face: an actor runtime that knows nothing of what is built on it. See README.md.
 */
export {
  type ActorContext,
  type ActorSpec,
  type AskOutcome,
  type Behavior,
  describeReason,
  type Down,
  type Lane,
  type MailboxOptions,
  type Ref,
  type ReplyTo,
  type StopReason,
  type WatchHandle,
} from "./actor.ts";
export type { Backoff, ChildSpec, Intensity, Restart, Strategy } from "./child_spec.ts";
export {
  type ChildOutcome,
  type ChildReport,
  dynamicSupervisor,
  type DynamicSupervisorOptions,
  supervisor,
  type SupervisorChild,
  type SupervisorMessage,
  type SupervisorOptions,
} from "./supervisor.ts";
export { type ActorSystem, type Crash, createSystem, type SystemOptions } from "./system.ts";
export type { ActorReport } from "./inspect.ts";
export type { TraceCaps, TraceEntry } from "./trace.ts";
export type { Registry } from "./registry.ts";
export { type RemoteEnvelope, type RemoteLink, RemoteNode, type RemoteNodeOptions } from "./remote.ts";
export { registerActorMetrics } from "./actor_metrics.ts";
export { type LoopDelayOptions, watchLoopDelay } from "./loop_delay.ts";
export { type Clock, systemClock, type TimerHandle } from "./clock.ts";
export { type Random, systemRandom } from "./random.ts";
export { type Scheduler, systemScheduler } from "./scheduler.ts";
export {
  hostYield,
  type Yield,
  yieldByImmediate,
  yieldByImmediatesAndTimeout,
  yieldByWakeUps,
} from "./yield_policy.ts";
export {
  createLog,
  type Fields,
  jsonLine,
  type Level,
  type Log,
  type LogEntry,
  logfmtLine,
  type LogOptions,
  type LogSink,
  memoryLog,
  stderrSink,
} from "./log.ts";
export {
  type Counter,
  createMetrics,
  type Gauge,
  type Histogram,
  type Labels,
  type Metrics,
  type Total,
} from "./metrics.ts";
export { plainOf, preview } from "./preview.ts";
export { assertNever, invariant, InvariantError } from "./invariant.ts";
export type { ByteStream, StreamEnd, StreamReceiver } from "./byte_stream.ts";
export { Slab, SlabPool } from "./slab.ts";
export { SimulatedClock } from "./simulated/clock.ts";
export { SimulatedRandom } from "./simulated/random.ts";
export { SimulatedScheduler } from "./simulated/scheduler.ts";
export { SimulatedWorld, type SimulatedWorldOptions } from "./simulated/world.ts";
