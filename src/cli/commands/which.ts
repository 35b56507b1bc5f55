import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { systemErrno } from '../../errno.ts';
import { defineCommand, Failure, UsageError } from '../command.ts';
import { answeringTreeAt } from '../place.ts';
import { MAX_CONTAINERS } from '../tree/reading.ts';

export const which = defineCommand({
  name: 'which',
  summary: 'say which container a process is in',
  usage: 'PID',
  details: [
    'Prints the directory of the container, the deepest, that the process is in; that of the tree itself for a process ' +
      'that is in none. PID is as you see it.',
  ],
  options: {},
  words: [1, 1],
  async run({ words: [word = ''] }) {
    if (!/^[1-9][0-9]{0,6}$/.test(word)) throw new UsageError(`${JSON.stringify(word)} is no process id`);
    const top = await answeringTreeAt(undefined);
    const found = await search(top, word);
    if (found === undefined && !existsSync(`/proc/${word}`)) throw new Failure(`there is no process ${word}`);
    process.stdout.write(`${found ?? top}\n`);
    return 0;
  },
});

/** The container below `top` whose own process it is; at most MAX_CONTAINERS are asked. */
async function search(top: string, pid: string): Promise<string | undefined> {
  const left = [top];
  for (let asked = 0; asked < MAX_CONTAINERS; asked++) {
    const directory = left.pop();
    if (directory === undefined) return undefined;
    if (directory !== top && (await procsIn(directory)).includes(pid)) return directory;
    const entries = await unlessGone(() => readdir(directory, { withFileTypes: true }), []);
    for (const entry of entries) {
      if (entry.isDirectory() && !entry.name.startsWith('.')) left.push(path.join(directory, entry.name));
    }
  }
  return undefined;
}

async function procsIn(directory: string): Promise<string[]> {
  return (await unlessGone(() => readFile(path.join(directory, '.procs'), 'utf8'), '')).split('\n');
}

/** What is gone, or not ours to see, holds nothing. */
async function unlessGone<T>(action: () => Promise<T>, nothing: T): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (['ENOENT', 'ESTALE', 'EACCES'].includes(systemErrno(error) ?? '')) return nothing;
    throw error;
  }
}
