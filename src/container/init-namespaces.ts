import type { FileAccess } from '../files.ts';
import type { Call } from '../kernel/tracee.ts';
import type { Fact } from '../kernel/tracer-link.ts';
import { lifeOf, linksAre } from '../proc/facts.ts';
import { readLinks } from '../proc/scan.ts';
import type { Container } from './container.ts';

/** Namespaces of an init, as it was last looked at, and what is so while it lives and they are still these. */
export interface KnownNamespaces {
  /** See `readLinks`. */
  readonly links: readonly string[];
  readonly facts: readonly Fact[];
  /** How to join them, by what is missing: most who enter come from the same place. */
  readonly joinings: Map<string, readonly Call[]>;
}

const KNOWN = new WeakMap<NonNullable<Container['init']>, KnownNamespaces>();

/**
 * Looked at once; whoever goes by it has `facts` looked at. An init of our own has the same ones until it ends. `undefined` if
 * there is no init, or it is gone.
 */
export function knownOf(files: FileAccess, { init, bundle, found }: Container): KnownNamespaces | undefined {
  if (!init) return undefined;
  const known = KNOWN.get(init);
  if (known) return known;
  const links = readLinks(files, init.pid);
  if (!links) return undefined;
  const isOurs = bundle === undefined && !found;
  const facts = [lifeOf(init.pid, init.startTime), ...(isOurs ? [] : linksAre(init.pid, links))];
  const read = { links, facts, joinings: new Map<string, readonly Call[]>() };
  KNOWN.set(init, read);
  return read;
}

/** They may have changed. */
export function forget({ init }: Container): void {
  if (init) KNOWN.delete(init);
}
