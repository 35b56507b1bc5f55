import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';

/** Names of the kinds of namespaces in a bundle's config.json, where they are not ours (OCI runtime spec, "Namespaces"). */
const NAMES: Readonly<Partial<Record<NamespaceKind, string>>> = { net: 'network', mnt: 'mount' };

export interface Adapted {
  readonly text: string;
  /** Kinds of namespaces of which it gets new ones. */
  readonly kinds: readonly NamespaceKind[];
}

interface Namespace {
  readonly type?: unknown;
  readonly path?: unknown;
}

/**
 * A bundle's config.json as it is run here: its cgroup is the container's, and it has a cgroup namespace, so that it sees
 * itself as the root; nobody is at a terminal. `undefined` for a text that is no such file: the runtime says what is wrong.
 */
export function adaptConfig(text: string, cgroupsPath: string): Adapted | undefined {
  const config = objectIn(text);
  if (!config) return undefined;
  const linux = isObject(config['linux']) ? config['linux'] : {};
  const process = isObject(config['process']) ? { process: { ...config['process'], terminal: false } } : {};
  const given = Array.isArray(linux['namespaces']) ? (linux['namespaces'] as readonly unknown[]).filter(isObject) : [];
  const namespaces: readonly Namespace[] = given.some(({ type }) => type === 'cgroup')
    ? given
    : [...given, { type: 'cgroup' }];
  const adapted = { ...config, ...process, linux: { ...linux, namespaces, cgroupsPath } };
  return { text: JSON.stringify(adapted), kinds: newKinds(namespaces) };
}

/** One with a path is that of somebody else. */
function newKinds(namespaces: readonly Namespace[]): NamespaceKind[] {
  const isNew = (name: string) => namespaces.some(({ type, path }) => type === name && (path ?? '') === '');
  return NAMESPACE_KINDS.map(({ kind }) => kind).filter((kind) => isNew(NAMES[kind] ?? kind));
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
