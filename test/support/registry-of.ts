import type { Container } from '../../src/container/container.ts';
import { Registry } from '../../src/container/registry.ts';
import { ROOT_SERIAL } from '../../src/ids.ts';

const at = { sec: 1, nsec: 0 };

/** A registry with a container for each path, and those above it; serials are in the order of the paths. */
export function registryOf(...paths: readonly string[]): { registry: Registry; at: (path: string) => Container } {
  const registry = new Registry(at);
  for (const path of paths) {
    let parent = registry.root;
    for (const name of path.split('/')) {
      const change = { parent: parent.serial, name, mode: 0o755, uid: 0, gid: 0, at };
      if (!parent.children.has(name)) registry.apply({ op: 'make', serial: registry.nextSerial, ...change });
      parent = parent.children.get(name)!;
    }
  }
  return { registry, at: (path) => find(registry, path) };
}

/** The container at a path below the root; '' is the root. Throws if there is none. */
export function find(registry: Registry, path: string): Container {
  let found: Container | undefined = registry.get(ROOT_SERIAL);
  for (const name of path.split('/').filter(Boolean)) found = found?.children.get(name);
  if (!found) throw new Error(`no container ${path}`);
  return found;
}
