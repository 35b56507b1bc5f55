import type { Reading } from './reading.ts';

/** How much of one cpu each container used between two readings. */
export class Shares {
  #before = new Map<string, number>();
  #beforeMs = 0;

  /** Takes the next reading, of the time `nowMs`; the function gives shares since the one before, by path. */
  next(root: Reading, nowMs: number): (path: string) => number | undefined {
    const before = this.#before;
    const elapsedUsec = (nowMs - this.#beforeMs) * 1000;
    const current = new Map<string, number>();
    collect(root, root.name, current);
    this.#before = current;
    this.#beforeMs = nowMs;
    return (path) => {
      const [from, to] = [before.get(path), current.get(path)];
      // Less than before: another container has the name now.
      if (from === undefined || to === undefined || to < from || elapsedUsec <= 0) return undefined;
      return (to - from) / elapsedUsec;
    };
  }
}

function collect(reading: Reading, path: string, into: Map<string, number>): void {
  if (reading.cpuUsec !== undefined) into.set(path, reading.cpuUsec);
  for (const child of reading.children) collect(child, `${path}/${child.name}`, into);
}
