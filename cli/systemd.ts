/**
 * Tells systemd that the node is ready, alive and stopping (sd_notify), when it asks: NOTIFY_SOCKET is set.
 *
 * Through the `systemd-notify` program, since neither runtime sends unix datagrams without unstable flags. It is a
 * child, so the unit says `NotifyAccess=all`. A notice that fails is one line on standard error: systemd acts by
 * itself when it hears nothing.
 */
import { spawn } from "node:child_process";
import process from "node:process";

export interface ServiceManager {
  ready(status: string): void;
  stopping(): void;
  /** Ends the watchdog's beat. */
  close(): void;
}

export function serviceManager(say: (line: string) => void): ServiceManager {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") {
    return { ready: () => undefined, stopping: () => undefined, close: () => undefined };
  }
  let silent = false;
  const notify = (...words: string[]) => {
    if (silent) return;
    const child = spawn("systemd-notify", words, { stdio: "ignore" });
    child.on("error", (error) => {
      silent = true;
      say(`holdfast: Warning: systemd is not told anything: ${error.message}`);
    });
  };
  const periodMs = watchdogPeriodMs(process.env["WATCHDOG_USEC"]);
  const beat = periodMs === undefined ? undefined : setInterval(() => notify("WATCHDOG=1"), periodMs);
  return {
    ready: (status) => notify("--ready", `--pid=${process.pid}`, `--status=${status}`),
    stopping: () => notify("STOPPING=1"),
    close: () => clearInterval(beat),
  };
}

/** Half of what systemd tolerates, as sd_watchdog_enabled(3) advises; undefined without a watchdog. */
export function watchdogPeriodMs(watchdogUsec: string | undefined): number | undefined {
  const usec = Number(watchdogUsec ?? "");
  return Number.isFinite(usec) && usec > 0 ? Math.max(1, Math.floor(usec / 2_000)) : undefined;
}
