/**
 * Pure: names of nodes, groups and volumes as types of their own, so that none is taken for another.
 *
 * A name is an actor path segment, a file name, an NBD export name and a label in metrics at the same time; hence
 * the narrow alphabet. An incarnation tells two lives of the same node apart.
 */
declare const brand: unique symbol;
type Branded<Text extends string> = string & { readonly [brand]: Text };

export type NodeName = Branded<"NodeName">;
export type GroupName = Branded<"GroupName">;
export type VolumeName = Branded<"VolumeName">;
/** Minted at random by each start of a node; equal only within one life. */
export type Incarnation = Branded<"Incarnation">;

/** `message` is for people: field, value and remedy. */
export interface NameRefusal {
  readonly kind: "name_refused";
  readonly message: string;
}

export const NAME_LENGTH_MAX = 64;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64 characters. */
export function isName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text);
}

export function parseNodeName(text: string): NodeName | NameRefusal {
  return isName(text) ? text as NodeName : refusal("node name", text);
}

export function parseGroupName(text: string): GroupName | NameRefusal {
  return isName(text) ? text as GroupName : refusal("group name", text);
}

export function parseVolumeName(text: string): VolumeName | NameRefusal {
  return isName(text) ? text as VolumeName : refusal("volume name", text);
}

export function parseIncarnation(text: string): Incarnation | NameRefusal {
  return isName(text) ? text as Incarnation : refusal("incarnation", text);
}

export function isNameRefusal(outcome: string | NameRefusal): outcome is NameRefusal {
  return typeof outcome !== "string";
}

function refusal(field: string, text: string): NameRefusal {
  const shown = text.length > NAME_LENGTH_MAX ? `${text.slice(0, NAME_LENGTH_MAX)}…` : text;
  return {
    kind: "name_refused",
    message: `Cannot use ${field} "${shown}": ${cause(text)} (try: ${suggestion(text)})`,
  };
}

function cause(text: string): string {
  if (text === "") return "it is empty";
  if (text.length > NAME_LENGTH_MAX) {
    return `it has ${text.length} characters, ${NAME_LENGTH_MAX} are allowed`;
  }
  return "it may hold letters, digits, «-», «_» and «.», and begins with a letter or digit";
}

function suggestion(text: string): string {
  const mended = text.replaceAll(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(
    0,
    NAME_LENGTH_MAX,
  );
  return mended === "" ? "alpha" : mended;
}
