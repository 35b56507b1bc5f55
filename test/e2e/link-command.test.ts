import { mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/link-command', import.meta.url));
const PROGRAM = '/usr/bin/env';

let dir: string;
let link: string;
beforeEach(() => {
  dir = mkdtempSync('/tmp/nsdir-link-');
  link = path.join(dir, 'nsdir');
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const linked = async () =>
  (await execa(SCRIPT, [PROGRAM, link], { env: { PATH: `${dir}:/usr/bin:/bin` }, extendEnv: false })).stdout;

test('the command is linked where there is none, and left where it is there', async () => {
  expect(await linked()).toBe(`nsdir is ${PROGRAM}, linked from ${link}`);
  expect([readlinkSync(link), await linked()]).toEqual([PROGRAM, '']);
});

test('a link that leads to a clone that is gone is replaced', async () => {
  symlinkSync('/nonesuch/main.js', link);
  expect(await linked()).toContain(`${link} led to /nonesuch/main.js, which is gone`);
  expect(readlinkSync(link)).toBe(PROGRAM);
});

test('a command that is another clone’s is left, and what to type is said', async () => {
  symlinkSync('/usr/bin/cat', link);
  expect(await linked()).toContain(`  ln -sfn ${PROGRAM} ${link}`);
  expect(readlinkSync(link)).toBe('/usr/bin/cat');
});
