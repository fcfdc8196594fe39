/** Pure: what Tab offers: names at the prompt, and inside quotes the paths, nodes and groups. */

export interface Known {
  readonly names: readonly string[];
  readonly paths: readonly string[];
  readonly words: readonly string[];
}

/** In readline's form: what could stand there, and the part of the line it would replace. */
export function complete(line: string, known: Known): [string[], string] {
  const quoted = /["'`]([^"'`]*)$/.exec(line);
  const inQuotes = quoted !== null && (line.slice(0, quoted.index).match(/["'`]/g)?.length ?? 0) % 2 === 0;
  if (inQuotes) {
    const begun = quoted[1] ?? "";
    const all = [...known.words, ...known.paths, ...ends(known.paths)];
    return [unique(all.filter((each) => each.startsWith(begun))), begun];
  }
  const begun = /[\w$.]*$/.exec(line)?.[0] ?? "";
  return [unique(known.names.filter((each) => each.startsWith(begun))), begun];
}

/** The last segments that are unmistakable. */
function ends(paths: readonly string[]): string[] {
  const last = paths.map((path) => path.split("/").at(-1) ?? "");
  return last.filter((name) => last.indexOf(name) === last.lastIndexOf(name));
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted();
}
