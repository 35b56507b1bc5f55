/** A terminal's second screen, where frames are drawn over each other (xterm control sequences). */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** ^C, which is no signal while keys are read one by one. */
const INTERRUPT = '\u0003';

/** Of a terminal that says 0 because nobody told it (a serial line). */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** Whether it is a terminal that knows these. */
export function isScreen(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && process.env['TERM'] !== 'dumb';
}

/** Calls `action` when the key is pressed, or what a terminal sends for ^C, until disposed. Nothing, where it is no terminal. */
export function keyPressed(terminal: NodeJS.ReadStream, key: string, action: () => void): Disposable {
  if (!terminal.isTTY) return { [Symbol.dispose]: () => undefined };
  const pressed = (data: Buffer) => {
    if (data.includes(key) || data.includes(INTERRUPT)) action();
  };
  terminal.setRawMode(true).on('data', pressed);
  return {
    [Symbol.dispose]() {
      terminal.setRawMode(false).off('data', pressed).pause();
    },
  };
}

/** Takes the terminal over until disposed; also restored when the process exits otherwise. */
export function takeScreen(terminal: NodeJS.WriteStream): Disposable & { draw(lines: readonly string[]): void } {
  let taken = true;
  const leave = () => {
    if (taken) terminal.write(LEAVE);
    taken = false;
  };
  process.once('exit', leave);
  terminal.write(ENTER);
  return {
    draw(lines) {
      const [columns, rows] = [terminal.columns || DEFAULT_COLUMNS, terminal.rows || DEFAULT_ROWS];
      terminal.write(HOME + fitted(lines, columns, rows).join('\n') + CLEAR_BELOW);
    },
    [Symbol.dispose]() {
      process.off('exit', leave);
      leave();
    },
  };
}

/** What fits `columns × rows`; if lines are left over, the last one says how many. */
export function fitted(lines: readonly string[], columns: number, rows: number): string[] {
  const shown = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`];
  return shown.map((line) => Array.from(line).slice(0, columns).join('') + CLEAR_LINE_END);
}
