import { cgroupPaths } from './parentage.ts';

/** How long it is taken for true where the machine's own processes live. */
const CGROUPS_KEPT_MS = 1_000;

/** Of the machine's own processes, of how many it is asked where they live, in one look; some 10 µs each. */
const CGROUPS_READ_LIMIT = 1_000;

/**
 * Which cgroups tell who is in them: not those that processes of the machine itself live in or below, as a session's, which
 * all that is made in it shares.
 */
export class OwnCgroups {
  readonly #machines: () => Iterable<string>;
  #machineLines = new Set<string>();
  #paths = new Map<string, readonly string[]>();
  #untilMs = -Infinity;

  /** `machines`: texts of /proc/PID/cgroup of the machine's own processes. */
  constructor(machines: () => Iterable<string>) {
    this.#machines = machines;
  }

  /** The paths in a text of /proc/PID/cgroup, in its order; empty for those that tell nothing. */
  of(text: string, nowMs: number): readonly string[] {
    if (nowMs >= this.#untilMs) this.#look(nowMs);
    let paths = this.#paths.get(text);
    if (!paths) {
      const lines = text.trimEnd().split('\n');
      paths = cgroupPaths(text).map((path, index) => (this.#machineLines.has(lines[index] ?? '') ? '' : path));
      this.#paths.set(text, paths);
    }
    return paths;
  }

  #look(nowMs: number): void {
    this.#untilMs = nowMs + CGROUPS_KEPT_MS;
    this.#paths = new Map();
    this.#machineLines = new Set();
    const texts = new Set<string>();
    let read = 0;
    for (const text of this.#machines()) {
      texts.add(text);
      if (++read >= CGROUPS_READ_LIMIT) break;
    }
    for (const text of texts) for (const line of text.trimEnd().split('\n')) this.#addWithThoseAbove(line);
  }

  #addWithThoseAbove(line: string): void {
    for (let at = line; at.includes('/') && !this.#machineLines.has(at); at = at.slice(0, at.lastIndexOf('/'))) {
      this.#machineLines.add(at);
    }
  }
}
