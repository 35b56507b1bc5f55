import { styleText } from 'node:util';

/** Width of help text in columns. */
const WRAP_COLUMNS = 96;

type Style = Parameters<typeof styleText>[0];

/** `text` in a style if standard output is a terminal that wants colours, else as it is. */
export function styled(text: string, style: Style): string {
  return process.stdout.isTTY &&
    process.stdout.hasColors() &&
    process.env['NO_COLOR'] === undefined &&
    process.env['TERM'] !== 'dumb'
    ? styleText(style, text)
    : text;
}

/** `text` in lines of at most `columns`, broken at spaces. */
export function wrap(text: string, columns: number = WRAP_COLUMNS): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** Names and paths come from anyone: control characters must not reach a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\u{FFFD}');
}
