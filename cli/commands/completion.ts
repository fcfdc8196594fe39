/** `holdfast completion SHELL`: prints the script that teaches a shell this program's words. */
import { type Command } from "../command.ts";
import { completionScript, SHELLS } from "../completion_script.ts";
import { EXIT, Failure } from "../failure.ts";

/** @param commands what the program has, this command included */
export function completion(commands: () => readonly Command[]): Command {
  return {
    words: "completion <shell>",
    summary: "print the completion script for bash, zsh or fish",
    examples: ["completion bash > /etc/bash_completion.d/holdfast", "completion fish | source"],
    run: async ({ args, terminal }) => {
      const shell = SHELLS.find((each) => each === args["shell"]);
      if (shell === undefined) {
        throw new Failure(`complete words for ${args["shell"]}: that shell is not known`, {
          exitCode: EXIT.usage,
          remedy: SHELLS.join(", "),
        });
      }
      terminal.out(completionScript(shell, commands()));
      return await Promise.resolve(EXIT.done);
    },
  };
}
