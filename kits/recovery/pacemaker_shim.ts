/**
 * The helper programs of Pacemaker that promotable agents call, answered from files.
 *
 * An agent that can be promoted does not decide where: it says how well it could (`crm_master -v 100`), keeps notes for all nodes
 * (`crm_attribute`, `attrd_updater`) and asks who is promoted now (`crm_mon`). `HA_SBIN_DIR` leads it to a folder with
 * one small shell script under these names. What it notes becomes a file per attribute, which our node reads (`readNotes`);
 * what it asks of the cluster our node has written before (`writeClusterView`).
 *
 * Files, since an agent must not hang when our process is busy or being restarted; a shell script, since the script is
 * started dozens of times per action and a runtime would take longer than the agent's patience. Attributes of other
 * nodes reach this folder the same way: whoever carries them calls `writeNote`.
 */
import { chmod, mkdir, readdir, readFile, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SHIM_SCRIPT } from "./shim_script.ts";

/** The programs that Debian's agents were seen to call. */
const PROGRAMS = [
  "crm_attribute",
  "crm_master",
  "attrd_updater",
  "crm_mon",
  "crm_node",
  "cibadmin",
  "pacemakerd",
];

export interface Note {
  /** The node it is about; `cluster` for notes about none. */
  readonly node: string;
  readonly name: string;
  readonly value: string;
}

export interface PromotableView {
  readonly nodes: readonly { readonly name: string; readonly online: boolean }[];
  readonly resources: readonly {
    readonly instance: string;
    /** `ocf:heartbeat:redis`. */
    readonly agent: string;
    readonly node: string;
    readonly role: "Promoted" | "Unpromoted" | "Stopped";
  }[];
}

/** One folder per node and agent instance. */
export class PacemakerShim {
  /** For `OcfAgentOptions.shimFolder`. */
  readonly folder: string;
  readonly #notes: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#notes = join(folder, "notes");
  }

  /** Writes the programs; what was noted before stays. `folder` is created. */
  static async open(folder: string, options: { readonly node: string }): Promise<PacemakerShim> {
    const shim = new PacemakerShim(folder);
    await mkdir(shim.#notes, { recursive: true });
    await writeWhole(join(folder, "node"), `${options.node}\n`);
    const script = join(folder, "shim");
    await writeWhole(script, SHIM_SCRIPT);
    await chmod(script, 0o755);
    for (const program of PROGRAMS) {
      await symlink("shim", join(folder, program)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    }
    await writeWhole(join(folder, "crm_mon.xml"), clusterXml({ nodes: [], resources: [] }));
    return shim;
  }

  /** Everything noted, of all nodes. */
  async readNotes(): Promise<readonly Note[]> {
    const notes: Note[] = [];
    for (const file of (await readdir(this.#notes)).sort()) {
      const [node, name] = file.split("@");
      if (node === undefined || name === undefined || file.startsWith(".")) continue;
      const value = await readFile(join(this.#notes, file), "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
        return undefined;
      });
      if (value !== undefined) notes.push({ node, name, value: value.replace(/\n$/, "") });
    }
    return notes;
  }

  /** How well `instance` could be promoted on `node`, as its agent said last; null: not at all. */
  async promotionScore(instance: string, { node }: { readonly node: string }): Promise<number | null> {
    const note = (await this.readNotes()).find((each) =>
      each.node === node && each.name === `master-${instance}`
    );
    if (note === undefined) return null;
    if (/^\+?INFINITY$/.test(note.value)) return 1_000_000;
    const score = Number(note.value);
    return Number.isSafeInteger(score) ? score : null;
  }

  /** What another node's agent noted, so that this one's finds it. */
  async writeNote({ node, name, value }: Note): Promise<void> {
    await writeWhole(join(this.#notes, `${node}@${name}`), `${value}\n`);
  }

  async removeNote({ node, name }: Pick<Note, "node" | "name">): Promise<void> {
    await unlink(join(this.#notes, `${node}@${name}`)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }

  /** What `crm_mon` shows from now on. */
  async writeClusterView(view: PromotableView): Promise<void> {
    await writeWhole(join(this.folder, "crm_mon.xml"), clusterXml(view));
  }
}

/** Whoever reads sees the old text or the new. */
async function writeWhole(path: string, text: string): Promise<void> {
  const slash = path.lastIndexOf("/");
  const fresh = `${path.slice(0, slash)}/.${path.slice(slash + 1)}.new`;
  await writeFile(fresh, text);
  await rename(fresh, path);
}

/** Attributes in the order and on the one line in which agents look for them with `grep`. */
function clusterXml({ nodes, resources }: PromotableView): string {
  const quoted = (text: string) => `"${text.replace(/[<>&"]/g, (each) => `&#${each.charCodeAt(0)};`)}"`;
  const nodeLines = nodes.map(({ name, online }) =>
    `    <node name=${quoted(name)} id=${quoted(name)} online="${online}" standby="false" type="member"/>`
  );
  const resourceLines = resources.map(({ instance, agent, node, role }) =>
    `    <resource id=${quoted(instance)} resource_agent=${quoted(agent)} role="${role}" ` +
    `active="${role !== "Stopped"}" orphaned="false" blocked="false" managed="true" failed="false" ` +
    `failure_ignored="false" nodes_running_on="${role === "Stopped" ? 0 : 1}">` +
    `<node name=${quoted(node)} id=${quoted(node)} cached="true"/></resource>`
  );
  return [
    '<pacemaker-result api-version="2.25" request="crm_mon">',
    "  <nodes>",
    ...nodeLines,
    "  </nodes>",
    "  <resources>",
    ...resourceLines,
    "  </resources>",
    "</pacemaker-result>",
    "",
  ].join("\n");
}
