/** Tells the demo step by step: one line per fact, and one line that moves while something takes time. */
import { fit, paint } from "../paint.ts";
import type { Terminal } from "../terminal.ts";

const REDRAW_MS = 100;

export interface Amount {
  readonly done: number;
  readonly total: number;
  readonly unit: "bytes" | "writes";
}

export class Narrator {
  readonly #terminal: Terminal;
  readonly #quiet: boolean;
  #drawnAt = 0;
  #open = false;

  /** @param quiet for `--json`: says nothing at all */
  constructor(terminal: Terminal, { quiet }: { quiet: boolean }) {
    this.#terminal = terminal;
    this.#quiet = quiet;
  }

  heading(text: string): void {
    this.#line(`\n${paint(text, "strong", this.#terminal)}`);
  }

  fact(text: string): void {
    this.#line(`  ${text}`);
  }

  check(text: string, held: boolean): void {
    const mark = held ? paint("held", "good", this.#terminal) : paint("NOT HELD", "bad", this.#terminal);
    this.#line(`  ${mark}  ${text}`);
  }

  /** The moving line; on a pipe it is left out, the fact that follows says it all. */
  progress(what: string, amount: Amount, seconds: number): void {
    const now = performance.now();
    if (this.#quiet || !this.#terminal.interactive || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    const rate = seconds > 0 ? amount.done / seconds : 0;
    const left = rate > 0 ? (amount.total - amount.done) / rate : 0;
    const share = amount.total > 0 ? Math.min(100, Math.floor((amount.done / amount.total) * 100)) : 100;
    const text =
      `  ${what}: ${share} %, ${inUnit(amount.done, amount.unit)} of ${inUnit(amount.total, amount.unit)}, ` +
      `${inUnit(rate, amount.unit)}/s, ${left.toFixed(1)} s left`;
    this.#terminal.out(`\r\u001b[K${fit(text, this.#terminal.columns() - 1)}`);
    this.#open = true;
  }

  #line(text: string): void {
    if (this.#quiet) return;
    this.#terminal.out(`${this.#open ? "\r\u001b[K" : ""}${text}\n`);
    this.#open = false;
  }
}

export function inUnit(amount: number, unit: Amount["unit"]): string {
  if (unit === "writes") return `${Math.round(amount)} writes`;
  return bytesText(amount);
}

/** `3.4 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return index === 0 ? `${Math.round(value)} bytes` : `${value.toFixed(1)} ${units[index]}`;
}
