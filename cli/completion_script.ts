/**
 * Shell completion as a script for bash, zsh or fish, made of the very list that the program runs. Pure.
 *
 * The words are written into the script: completing asks no node and starts nothing, so that Tab is always at once.
 */
import type { Command } from "./command.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

const SHARED = ["--config", "--node", "--admin", "--json", "--yes", "--timeout", "--help"];

interface Entry {
  /** `mirror pause`. */
  readonly name: string;
  readonly summary: string;
  readonly options: readonly string[];
}

export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const entries = commands.map(({ words, summary, options = [] }): Entry => ({
    name: words.split(" ").filter((word) => !/^[<[]/.test(word)).join(" "),
    summary,
    options: options.map(({ flags }) => flags.split(" ")[0] ?? ""),
  }));
  return { bash, zsh, fish }[shell](entries);
}

function firstWords(entries: readonly Entry[]): string[] {
  return [...new Set(entries.map(({ name }) => name.split(" ")[0] ?? ""))];
}

function secondWords(entries: readonly Entry[], first: string): string[] {
  return entries.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) =>
    name.split(" ")[1] ?? ""
  );
}

function bash(entries: readonly Entry[]): string {
  const nouns = firstWords(entries).filter((word) => secondWords(entries, word).length > 0);
  const cases = entries.map(({ name, options }) => `    "${name}") options="${options.join(" ")}" ;;`);
  const subs = nouns.map((noun) => `    ${noun}) words="${secondWords(entries, noun).join(" ")}" ;;`);
  return `# bash completion for holdfast: source this file, or put it into bash_completion.d
_holdfast() {
  local word="\${COMP_WORDS[COMP_CWORD]}" first="\${COMP_WORDS[1]}" words="" options=""
  case "$3" in --config) COMPREPLY=($(compgen -f -- "$word")); return ;; esac
  case "$first \${COMP_WORDS[2]}" in
${cases.filter((line) => line.split('"')[1]?.includes(" ")).join("\n")}
    *) case "$first" in
${cases.filter((line) => !line.split('"')[1]?.includes(" ")).map((line) => `  ${line}`).join("\n")}
    esac ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${firstWords(entries).join(" ")}"
  elif [ "$COMP_CWORD" -eq 2 ]; then case "$first" in
${subs.join("\n")}
  esac; fi
  case "$word" in -*) words="$options ${SHARED.join(" ")}" ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _holdfast holdfast
`;
}

function zsh(entries: readonly Entry[]): string {
  return `#compdef holdfast\nautoload -U +X bashcompinit && bashcompinit\n${bash(entries)}`;
}

function fish(entries: readonly Entry[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "\\'")}'`;
  const lines = entries.flatMap(({ name, summary, options }) => {
    const [first = "", second] = name.split(" ");
    const there = second === undefined
      ? "__fish_use_subcommand"
      : `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${
        secondWords(entries, first).join(" ")
      }`;
    const seen = second === undefined ? first : `${first}; and __fish_seen_subcommand_from ${second}`;
    return [
      `complete -c holdfast -f -n ${quoted(there)} -a ${second ?? first} -d ${quoted(summary)}`,
      ...options.map((option) =>
        `complete -c holdfast -n ${quoted(`__fish_seen_subcommand_from ${seen}`)} -l ${
          option.replace(/^--/, "")
        }`
      ),
    ];
  });
  const nouns = firstWords(entries).filter((word) => secondWords(entries, word).length > 0);
  return [
    ...nouns.map((noun) => `complete -c holdfast -f -n __fish_use_subcommand -a ${noun}`),
    ...lines,
    ...SHARED.map((option) => `complete -c holdfast -l ${option.slice(2)}`),
    "",
  ].join("\n");
}
