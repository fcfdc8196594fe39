/**
 * Evaluates what a person types, in the shell's own process: the node never sees a word of it, only the calls that
 * come out of it. So a mistake, an endless loop or a wrong type is the shell's to suffer.
 *
 * An evaluator of our own: the runtime's shell knows no top-level await on Deno. What is typed becomes the body of an
 * async function whose names are looked up in one scope, so that what is declared in one line is there in the next.
 */
import { suggestion } from "../../runtime/did_you_mean.ts";

export type Scope = Record<string, unknown>;

const AsyncFunction = (async () => {}).constructor as new (
  ...parts: string[]
) => (scope: Scope) => Promise<unknown>;

const DECLARATION = /^\s*(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=/;
const FUNCTION = /^\s*((?:async\s+)?function\s*\*?\s+)([A-Za-z_$][\w$]*)/;

/** The value of the last expression. Rejects with what was thrown; a mistake in the syntax is a SyntaxError. */
export async function evaluate(code: string, scope: Scope): Promise<unknown> {
  const kept = keptInScope(code);
  return await compiled(kept)(lookup(scope));
}

/** True when a person has begun something that the next line may end. */
export function isUnfinished(code: string): boolean {
  try {
    compiled(keptInScope(code));
    return false;
  } catch (error) {
    return error instanceof SyntaxError && openBrackets(code) > 0;
  }
}

/** Top-level declarations become properties of the scope. */
function keptInScope(code: string): string {
  const declared = DECLARATION.exec(code);
  if (declared !== null) return code.replace(DECLARATION, "$1 =");
  const named = FUNCTION.exec(code);
  return named === null ? code : `${named[2]} = ${code.trim()}`;
}

function compiled(code: string): (scope: Scope) => Promise<unknown> {
  const text = code.trim().replace(/;+$/, "");
  try {
    // An object in braces is meant as one.
    return new AsyncFunction("scope", `with (scope) { return (${text}\n) }`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return new AsyncFunction("scope", `with (scope) { ${withLastReturned(text)}\n }`);
  }
}

/** Of several statements in a line the last gives the value, if it is an expression. */
function withLastReturned(text: string): string {
  const cut = text.lastIndexOf(";");
  const last = text.slice(cut + 1);
  if (cut < 0 || /^\s*(const|let|var|if|for|while|switch|try|throw|return|function|class|\})/.test(last)) {
    return text;
  }
  const candidate = `${text.slice(0, cut + 1)} return (${last}\n)`;
  try {
    new AsyncFunction("scope", `with (scope) { ${candidate} }`);
    return candidate;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** Every name is in scope: ours, else the language's, else an error that says what was meant. */
function lookup(scope: Scope): Scope {
  return new Proxy(scope, {
    has: (_, name) => typeof name === "string",
    get: (target, name) => {
      if (typeof name !== "string") return undefined;
      if (Object.hasOwn(target, name)) return target[name];
      if (name in globalThis) return (globalThis as unknown as Scope)[name];
      const meant = suggestion(name, Object.keys(target));
      throw new ReferenceError(`Cannot find ${name}: there is no such name (try: ${meant})`);
    },
    set: (target, name, value) => {
      if (typeof name === "string") target[name] = value;
      return true;
    },
  });
}

function openBrackets(code: string): number {
  const bare = code.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\/\/.*$/gm, "");
  const count = (pattern: RegExp) => bare.match(pattern)?.length ?? 0;
  return count(/[([{]/g) - count(/[)\]}]/g) + (count(/`/g) % 2);
}
