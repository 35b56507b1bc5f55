/** How often the line is drawn. */
const DRAW_MS = 100;
const WIDTH = 30;

export interface Progress extends Disposable {
  add(bytes: number): void;
}

/** A line on standard error, if that is a terminal, that says how far something is; gone at the end. */
export function progressOf(what: string, totalBytes: number): Progress {
  let [done, drawnAt] = [0, 0];
  const isShown = process.stderr.isTTY && process.env['TERM'] !== 'dumb';
  return {
    add(bytes) {
      done += bytes;
      const now = performance.now();
      if (!isShown || now - drawnAt < DRAW_MS) return;
      drawnAt = now;
      process.stderr.write(`\r\u001b[K${progressLine(what, done, totalBytes)}`);
    },
    [Symbol.dispose]() {
      if (isShown) process.stderr.write('\r\u001b[K');
    },
  };
}

/** A total of 0 is not known. */
export function progressLine(what: string, doneBytes: number, totalBytes: number): string {
  const share = totalBytes === 0 ? 0 : Math.min(1, doneBytes / totalBytes);
  const full = Math.round(share * WIDTH);
  const bar = totalBytes === 0 ? '' : ` [${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}]`;
  return `${what}${bar} ${(doneBytes / (1 << 20)).toFixed(1)} MiB`;
}
