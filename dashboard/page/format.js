/** Numbers as a person reads them, the same as on the command line. Pure. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(count) {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${trimmed(value, digits)} ${UNITS[unit]}`;
}

export function count(value) {
  return Math.round(value).toLocaleString("en");
}

export function rate(perSecond) {
  const digits = perSecond >= 100 || perSecond === 0 ? 0 : 1;
  return trimmed(perSecond, digits);
}

export function seconds(value) {
  if (value === null || value === undefined) return "unknown";
  if (value === 0) return "0 s";
  if (value < 0.001) return `${trimmed(value * 1e6, 0)} µs`;
  if (value < 1) return `${trimmed(value * 1e3, value < 0.01 ? 2 : value < 0.1 ? 1 : 0)} ms`;
  if (value < 60) return `${trimmed(value, 1)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  if (value < 86400) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} d ${Math.floor((value % 86400) / 3600)} h`;
}

export function percent(part, whole) {
  if (whole <= 0) return 100;
  // Never 100 before it is done, never beyond it.
  return Math.min(part >= whole ? 100 : 99, Math.floor((100 * part) / whole));
}

export function clock(rfc3339) {
  const date = new Date(rfc3339);
  const two = (value) => String(value).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${
    String(date.getMilliseconds()).padStart(3, "0")
  }`;
}

export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function trimmed(value, digits) {
  return value.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}
