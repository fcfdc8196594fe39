/**
 * Sizes and times as people write them, with the unit that makes them unambiguous. Pure.
 *
 * A bare number is refused: `timeout: 30` has been seconds to its author and milliseconds to its program too often.
 */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
};

const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export type Measured = { readonly ok: true; readonly value: number } | {
  readonly ok: false;
  readonly message: string;
  readonly remedy: string;
};

/** `64MiB` → 67108864 bytes. */
export function parseSize(text: string): Measured {
  return measure(text, { units: SIZE_UNITS, noun: "size", example: "64MiB", whole: "bytes" });
}

/** `250ms` → 250 milliseconds. */
export function parseDuration(text: string): Measured {
  return measure(text, { units: TIME_UNITS, noun: "time", example: "250ms", whole: "milliseconds" });
}

interface Measure {
  readonly units: Readonly<Record<string, number>>;
  readonly noun: string;
  readonly example: string;
  readonly whole: string;
}

function measure(text: string, { units, noun, example, whole }: Measure): Measured {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  const known = Object.keys(units).join(", ");
  if (match === null) {
    return {
      ok: false,
      message: `is ${JSON.stringify(text)}, which is not a ${noun}`,
      remedy: `a number and its unit, as in ${example}`,
    };
  }
  const [, number = "", unit = ""] = match;
  if (unit === "") {
    return {
      ok: false,
      message: `is ${text.trim()} without a unit`,
      remedy: `${number}${Object.keys(units)[2]} or another of ${known}`,
    };
  }
  const exact = Object.hasOwn(units, unit)
    ? unit
    : Object.keys(units).find((each) => each.toLowerCase() === unit.toLowerCase());
  const factor = exact === undefined ? undefined : units[exact];
  if (factor === undefined || exact !== unit) {
    const remedy = exact === undefined ? `one of the units ${known}` : `${number}${exact}`;
    return { ok: false, message: `has the unit ${JSON.stringify(unit)}, which is none`, remedy };
  }
  const value = Number(number) * factor;
  if (!Number.isSafeInteger(value)) {
    return {
      ok: false,
      message: `is ${text.trim()}, which is no whole number of ${whole} below 2^53`,
      remedy: `a size like ${example}`,
    };
  }
  return { ok: true, value };
}

/** 1073741824 → `1 GiB`; three digits, for people. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  const digits = index === 0 || value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[index]}`;
}

/** 83 s → `1 min 23 s`; for people. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}
