/** A temporary folder, and scripts in it. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export class Scratch {
  readonly folder: string;

  constructor(name: string) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), `holdfast-${name}-`));
  }

  path(name: string): string {
    return path.join(this.folder, name);
  }

  write(name: string, text: string, mode = 0o600): string {
    fs.writeFileSync(this.path(name), text, { mode });
    return this.path(name);
  }

  script(name: string, text: string): string {
    return this.write(name, `#!/bin/sh\n${text}\n`, 0o755);
  }

  /** Empty when there is no such file. */
  read(name: string): string {
    return fs.existsSync(this.path(name)) ? fs.readFileSync(this.path(name), "utf8") : "";
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
