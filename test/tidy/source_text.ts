/**
 * Looks at a TypeScript source without its comments, or without its comments and texts, line for line.
 *
 * The house rules are about code; a rule that trips over a word in a sentence teaches people to write worse
 * sentences. Rejected: the TypeScript compiler as a dependency, which knows far more than eight rules need.
 */
export interface Tree {
  readonly files: readonly SourceFile[];
}

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly what: string;
  readonly remedy: string;
}

export interface Rule {
  /** A claim: what holds in the whole tree. */
  readonly claim: string;
  check(tree: Tree): Finding[];
  /** Trees that break it, each with the findings it must give, as `path:line`. */
  readonly broken: readonly { readonly tree: Tree; readonly expected: readonly string[] }[];
}

/** A tree for the rules' own tests. */
export function sampleTree(files: Readonly<Record<string, string>>): Tree {
  return { files: Object.entries(files).map(([path, text]) => ({ path, text })) };
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Comments blanked, texts kept; every line keeps its place. */
export function withoutComments(source: string): string {
  return mask(source, { texts: false });
}

/** Comments and the insides of texts and regular expressions blanked; every line keeps its place. */
export function codeOf(source: string): string {
  return mask(source, { texts: true });
}

/** The comment that a file begins with, or "". */
export function headerOf(source: string): string {
  return /^\s*\/\*\*?([\s\S]*?)\*\//.exec(source)?.[1] ?? /^(?:\s*\/\/.*\n)+/.exec(source)?.[0] ?? "";
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, " ");
}

/** What may come right before a `/` that begins a regular expression and does not divide. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+>]|\b(?:return|typeof|case|in|of))\s*$/;

function mask(source: string, options: { readonly texts: boolean }): string {
  let out = "";
  let index = 0;
  // The depth of braces inside each open `${`, so that a template's expressions stay code.
  const templates: number[] = [];
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = index;
    return pattern.exec(source)?.[0] ?? "";
  };
  const keepEnds = (text: string) =>
    options.texts ? text.slice(0, 1) + blank(text.slice(1, -1)) + text.slice(-1) : text;

  while (index < source.length) {
    const char = source[index] ?? "";
    let taken = char;
    let shown = char;
    const depth = templates.at(-1);
    if (source.startsWith("//", index)) {
      shown = blank(taken = take(/\/\/[^\n]*/y));
    } else if (source.startsWith("/*", index)) {
      shown = blank(taken = take(/\/\*[\s\S]*?(?:\*\/|$)/y));
    } else if (char === '"' || char === "'") {
      shown = keepEnds(taken = take(char === '"' ? /"(?:\\.|[^"\\\n])*"?/y : /'(?:\\.|[^'\\\n])*'?/y));
    } else if (char === "`" || (char === "}" && depth === 0)) {
      if (char === "}") templates.pop();
      taken = take(/[`}](?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{|$)/y);
      if (taken.endsWith("${")) templates.push(0);
      shown = options.texts ? char + blank(taken.slice(1)) : taken;
    } else if (char === "/" && BEFORE_REGEX.test(out.slice(-40))) {
      taken = take(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//y) || char;
      shown = keepEnds(taken);
    } else if (depth !== undefined && (char === "{" || char === "}")) {
      templates[templates.length - 1] = depth + (char === "{" ? 1 : -1);
    }
    out += shown;
    index += taken.length;
  }
  return out;
}

export interface ImportLine {
  readonly specifier: string;
  readonly line: number;
}

/** Everything that a file imports or re-exports, types too, static or not. */
export function importsOf(file: SourceFile): ImportLine[] {
  const text = withoutComments(file.text);
  const pattern =
    /(?:^|[\n;])[ \t]*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']|(?:^|[\n;])[ \t]*import\s*["']([^"']+)["']/g;
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[1] ?? match[2] ?? match[3] ?? "",
    line: lineAt(text, match.index + match[0].length - 1),
  }));
}

/** A relative specifier as a path from the root; undefined for packages and built-ins. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

export function isTypeScript(file: SourceFile): boolean {
  return file.path.endsWith(".ts");
}

/** Tests and benches may do what the product may not. */
export function isProduct(file: SourceFile): boolean {
  return isTypeScript(file) && !file.path.startsWith("test/") && !file.path.startsWith("bench/");
}
