import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A directory for one test, gone at the end of the block. */
export function scratch(): Disposable & { at(name: string): string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'nsdir-unit-'));
  return {
    at: (name) => path.join(directory, name),
    [Symbol.dispose]() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
