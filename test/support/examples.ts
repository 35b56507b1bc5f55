import { spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { NSDIR, type Mounted } from './mounted.ts';

/** A line of a document, with its number, from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** What is typed, one or more lines, and what is to come of it. */
export interface Step {
  readonly command: readonly Line[];
  readonly output: readonly Line[];
}

/** A fenced block ```console of a document: one shell session. */
export interface Example {
  readonly file: string;
  /** Number of the block's first line. */
  readonly line: number;
  /** The heading it stands below. */
  readonly chapter: string;
  /** The sentence before the block, which says what it shows. */
  readonly says: string;
  readonly steps: readonly Step[];
}

const FENCE = '```';
const LANGUAGE = 'console';
const PROMPT = '$ ';
/** Begins a line that goes on with the command of the line before. */
const MORE = '> ';

/** The one sign in expected output that stands for what varies: one or more characters, none of them a space. */
const VARIES = '…';

/** An example that hangs is a failure. */
const SESSION_LIMIT_MS = 30_000;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** All examples of a document, `file` below the project's directory. Throws for one that says nothing or shows nothing. */
export function examplesIn(file: string): Example[] {
  const lines = readFileSync(path.join(ROOT, file), 'utf8').split('\n');
  const examples: Example[] = [];
  let says = '';
  let chapter = '';
  for (let at = 0; at < lines.length; at += 1) {
    const text = lines[at] ?? '';
    if (!text.startsWith(FENCE)) {
      if (text.startsWith('## ')) chapter = text;
      if (text !== '') says = lines[at - 1] === '' ? text : `${says} ${text}`;
      continue;
    }
    const end = lines.indexOf(FENCE, at + 1);
    if (end < 0) throw new Error(`${file}:${at + 1}: this block has no end`);
    if (text === FENCE + LANGUAGE) {
      const body = lines.slice(at + 1, end).map((line, index) => ({ number: at + 2 + index, text: line }));
      examples.push({
        file,
        line: at + 2,
        chapter,
        says: checked(says, `${file}:${at + 1}`),
        steps: stepsOf(body, file),
      });
    }
    says = '';
    at = end;
  }
  return examples;
}

function checked(says: string, where: string): string {
  if (!says.endsWith(':')) throw new Error(`${where}: say before the block what it shows`);
  return says.split('. ').at(-1)?.replace(/:$/, '') ?? says;
}

function stepsOf(body: readonly Line[], file: string): Step[] {
  const steps: { command: Line[]; output: Line[] }[] = [];
  for (const line of body) {
    const step = steps.at(-1);
    if (line.text.startsWith(PROMPT)) steps.push({ command: [strip(line, PROMPT)], output: [] });
    else if (!step) throw new Error(`${file}:${line.number}: a block begins with a command`);
    else if (line.text.startsWith(MORE) && step.output.length === 0) step.command.push(strip(line, MORE));
    else step.output.push(line);
  }
  const first = body[0]?.number ?? 0;
  if (!steps.some(({ output }) => output.length > 0)) throw new Error(`${file}:${first}: an example shows some output`);
  return steps;
}

function strip({ number, text }: Line, prefix: string): Line {
  return { number, text: text.slice(prefix.length) };
}

/** What the commands of an example printed, standard error included, one list of lines for each step. */
export type Session = readonly (readonly string[])[];

/**
 * Runs an example as one session of bash in the mount point, which it calls /namespaces, as root, messages in English. The
 * session's processes are killed at its end.
 */
export async function runExample({ file, line, steps }: Example, tree: Mounted): Promise<Session> {
  const work = mkdtempSync('/tmp/nsdir-example-');
  chmodSync(path.dirname(tree.dir), 0o755); // as of /namespaces
  try {
    writeFileSync(path.join(work, 'nsdir'), `#!/bin/sh\nexec '${process.execPath}' '${NSDIR}' "$@"\n`, { mode: 0o755 });
    const script = path.join(work, 'session');
    writeFileSync(script, [MARK_FUNCTION, ...steps.flatMap(scriptOf), 'mark end', ''].join('\n'));
    const output = await sessionOutput(script, path.join(work, 'output'), work, tree);
    const text = asDocumented(output, tree).replaceAll(complaint(script), 'bash: ');
    const parts = partsOf(text);
    if (parts.length !== steps.length) {
      const last = steps[Math.max(0, parts.length - 1)]?.command[0]?.number ?? line;
      throw new Error(`${file}:${last}: the session ended here or hung for ${SESSION_LIMIT_MS} ms:\n${text}`);
    }
    return parts;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }

  function scriptOf({ command }: Step, index: number): string[] {
    return [`mark ${index}`, ...command.map(({ text }) => asHere(text, tree))];
  }
}

/** How bash begins the messages of a script; interactively it says `bash: `. */
const complaint = (script: string) => new RegExp(`^${script}: line \\d+: `, 'gmu');

/** Separates the steps' outputs; a control character that no command prints. The exit status `$?` survives it. */
const SEPARATOR = '\u001e';
const MARK_FUNCTION = String.raw`mark() { local status=$?; printf '\n\036%s\n' "$1"; return $status; }`;

/** Output of each step that came to its end. */
function partsOf(text: string): string[][] {
  const parts = text.split(`\n${SEPARATOR}`).slice(1, -1);
  return parts.map((part) => linesOf(part.slice(part.indexOf('\n') + 1)));
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

async function sessionOutput(script: string, file: string, bin: string, tree: Mounted): Promise<string> {
  const output = openSync(file, 'w');
  const environment = {
    HOME: '/root',
    LC_ALL: 'C',
    NSDIR_MOUNT: tree.dir,
    PATH: `${bin}:${process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin'}`,
    SHELL: '/bin/sh',
    ...(process.env['NSDIR_TEST_RUN'] === undefined ? {} : { NSDIR_TEST_RUN: process.env['NSDIR_TEST_RUN'] }),
  };
  // The leader of the group kills it, itself included: so that number is this group's until the end.
  const shell = spawn('sh', ['-c', '(cd "$1" && exec bash --norc "$2"); kill -KILL 0', 'sh', tree.dir, script], {
    cwd: '/',
    detached: true,
    env: environment,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const timer = setTimeout(() => {
    if (shell.pid === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
    // eslint-disable-next-line no-restricted-properties -- a child that is not reaped, so its group has its number still
    process.kill(-shell.pid, 'SIGKILL');
  }, SESSION_LIMIT_MS);
  await new Promise<void>((resolve, reject) => {
    shell.once('error', reject);
    shell.once('exit', () => {
      resolve();
    });
  });
  clearTimeout(timer);
  return readFileSync(file, 'utf8');
}

/** The documents speak of the standard places; the tests have places of their own. */
const STANDARD = /(nsdir[-/])namespaces\b|\/namespaces\b/g;

function asHere(command: string, { dir, instance }: Mounted): string {
  return command.replaceAll(STANDARD, (_, prefix?: string) => (prefix === undefined ? dir : prefix + instance.id));
}

function asDocumented(text: string, { dir, instance }: Mounted): string {
  return text.replaceAll(dir, '/namespaces').replaceAll(instance.id, 'namespaces');
}

/** What differs from the document, as `file:line: …`, one message for each step; nothing if all is as it says. */
export function differences({ file, steps }: Example, session: Session): string[] {
  return steps.flatMap(({ command, output }, index) => {
    const got = session[index] ?? [];
    const loose = output.some(({ text }) => text.includes(VARIES));
    const at = output.findIndex(({ text }, row) => !matches(text, got[row], loose));
    const wrong = at < 0 && got.length > output.length ? output.length : at;
    if (wrong < 0) return [];
    const first = command[0]?.number ?? 0;
    const number = output[wrong]?.number ?? output.at(-1)?.number ?? first;
    const [wanted, found] = [output[wrong]?.text, got[wrong]].map((text) => text ?? '(no more lines)');
    const all = got.map((text) => `    ${text}`).join('\n');
    return [`${file}:${number}: expected: ${wanted ?? ''}\n  got: ${found ?? ''}\n  all of it:\n${all}`];
  });
}

/** In a loose output, one where something varies, the width of columns does too: spaces match any number of spaces. */
function matches(wanted: string, got: string | undefined, loose: boolean): boolean {
  if (got === undefined) return false;
  if (!loose) return got === wanted;
  const pattern = wanted
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(VARIES, String.raw`\S+`)
    .replaceAll(/ +/g, ' +');
  return new RegExp(`^${pattern}$`, 'u').test(got);
}
