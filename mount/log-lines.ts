/** Operations that change something: a line each in the log. */
const LOGGED: ReadonlySet<string> = new Set(['mkdir', 'rmdir', 'rename', 'write', 'setattr', 'symlink', 'link']);

/** What an adapter calls one of them else. */
const OTHER_NAMES: Readonly<Partial<Record<string, string>>> = {
  rename2: 'rename',
  ...{ chmod: 'setattr', chown: 'setattr', truncate: 'setattr', utimens: 'setattr' },
};

/** How long a line may wait: who asked next is served first. */
const DELAY_MS = 10;

/** Lines that wait; with one more all are written. */
const WAITING_LIMIT = 256;

/** Whether the log has a line for each operation of this name, in small letters or capitals. */
export function isLogged(operation: string): boolean {
  const name = operation.toLowerCase();
  return LOGGED.has(OTHER_NAMES[name] ?? name);
}

/** Lines of the log that are written when there is time for that, at the latest when the program ends. */
export class LogLines {
  #waiting: (() => void)[] = [];

  constructor() {
    process.once('exit', () => {
      this.#write();
    });
  }

  push(line: () => void): void {
    if (this.#waiting.length === 0) setTimeout(this.#write, DELAY_MS).unref();
    this.#waiting.push(line);
    if (this.#waiting.length > WAITING_LIMIT) this.#write();
  }

  readonly #write = (): void => {
    const lines = this.#waiting;
    this.#waiting = [];
    for (const line of lines) line();
  };
}
