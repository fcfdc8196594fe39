/**
 * From text to configuration, or to every problem at once. Pure.
 *
 * Text → YAML with places → without what is not built → shape and units → defaults and absolute paths → relations.
 * Each step gives findings by path; only here do they get their line and column.
 */
import { dirname, isAbsolute, resolve } from "node:path";
import { securedAddress } from "./address.ts";
import type { ClusterConfig, DiskConfig, GroupConfig } from "./cluster_config.ts";
import { siftNotBuilt } from "./not_built.ts";
import { fieldName, type Finding, type Problem } from "./problem.ts";
import { checkRelations } from "./relations.ts";
import { checkSchema, type ClusterDocument } from "./schema.ts";
import { parseYaml, type YamlSource } from "./yaml_source.ts";

export type ConfigOutcome =
  | { readonly ok: true; readonly config: ClusterConfig; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

/** `file` is the absolute path that relative paths of the text are relative to. */
export function checkConfig(text: string, options: { readonly file: string }): ConfigOutcome {
  const { file } = options;
  const yaml = parseYaml(text);
  if (!yaml.ok) return { ok: false, problems: yaml.problems, warnings: [] };
  const { source } = yaml;
  if (typeof source.value !== "object" || source.value === null || Array.isArray(source.value)) {
    const problem = {
      line: 0,
      column: 0,
      field: "",
      message: "is no map of fields",
      remedy: "begin with cluster: NAME",
    };
    return { ok: false, problems: [problem], warnings: [] };
  }
  const { rest, findings } = siftNotBuilt(source.value);
  const shape = checkSchema(rest, { folder: dirname(file) });
  if (!shape.ok) {
    return { ok: false, problems: placed([...findings, ...shape.findings], source), warnings: [] };
  }
  const config = buildConfig(shape.document, file);
  const relations = checkRelations(shape.document, config);
  const problems = placed([...findings, ...relations.problems], source);
  const warnings = placed(relations.warnings, source);
  return problems.length === 0 ? { ok: true, config, warnings } : { ok: false, problems, warnings };
}

/** In the order of the file, as a person reads it. */
function placed(findings: readonly Finding[], source: YamlSource): Problem[] {
  return findings.map(({ path, at, message, remedy }): Problem => ({
    ...source.locate(path, at ?? "value"),
    field: fieldName(path),
    message,
    remedy,
  })).sort((a, b) => a.line - b.line || a.column - b.column);
}

function buildConfig(document: ClusterDocument, file: string): ClusterConfig {
  const tls = document.security?.tls;
  const absolute = (path: string) => resolve(dirname(file), path);
  return {
    cluster: document.cluster,
    file,
    security: tls && { tls: { ca: absolute(tls.ca), cert: absolute(tls.cert), key: absolute(tls.key) } },
    nodes: Object.entries(document.nodes).map(([name, { listen, nbd, http }]) => ({
      name,
      // With certificates there is no other way to say tcp between nodes.
      listen: tls === undefined
        ? listen
        : listen.map((address) => address.scheme === "tcp" ? securedAddress(address) : address),
      nbd,
      http,
    })),
    heartbeat: { intervalMs: document.heartbeat.interval, leaseMs: document.heartbeat.lease },
    groups: Object.entries(document.groups).map(([name, group]) => buildGroup(name, group, dirname(file))),
  };
}

function buildGroup(name: string, group: ClusterDocument["groups"][string], folder: string): GroupConfig {
  const absolute = (path: string) => isAbsolute(path) ? resolve(path) : resolve(folder, path);
  const volumes = Object.entries(group.volumes).map(([volume, { size }]) => ({
    name: volume,
    sizeBytes: size,
  }));
  const replicas = Object.entries(group.replicas).map(([node, { disk, metadata, mode, backlog }]) => {
    const disks = volumes.flatMap((volume): DiskConfig[] => {
      const given = disk[volume.name];
      if (given === undefined) return [];
      const path = absolute(given);
      const beside = metadata[volume.name];
      return [{
        volume: volume.name,
        path,
        metadata: beside === undefined ? `${path}.holdfast` : absolute(beside),
      }];
    });
    return { node, mode, disks, backlog };
  });
  const { failover, quorum, onBlocked } = group;
  return { name, volumes, replicas, failover, quorum, onBlocked };
}
