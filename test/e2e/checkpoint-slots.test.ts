import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Manifest } from '../../src/checkpoint/manifest.ts';
import { TAKES_LIMIT } from '../../src/tree/checkpoint-id.ts';
import { counting, criuIsMissing } from '../support/checkpoints.ts';
import { scratch } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

const missing = await criuIsMissing();

/** Images of an archive of `web` that are not what its manifest says. */
function wrongIn(directory: string): string[] {
  const file = (name: string) => readFileSync(`${directory}/web/.checkpoint/${name}`);
  const { images, pieceBytes } = JSON.parse(file('manifest.json').toString()) as Manifest;
  const isAsSaved = ({ name, sha256 }: Manifest['images'][number]) =>
    sha256.every((hash, index) => {
      const piece = file(name).subarray(index * pieceBytes, (index + 1) * pieceBytes);
      return createHash('sha256').update(piece).digest('hex') === hash;
    });
  return images.filter((image) => !isAsSaved(image)).map(({ name }) => name);
}

it('gives an archive the images of its own checkpoint, however many were taken since the last', async ({ skip }) => {
  skip(missing !== undefined, missing);
  using disk = scratch();
  await using tree = await mounted();
  await counting(tree, 'web', disk.at('count'));
  await tree.ok('mkdir other; echo running > other/.state');
  const env = { OUT: disk.at('') };
  for (const round of ['first', 'second']) {
    await tree.ok(`mkdir $OUT/${round}; tar cf - web | tar xf - -C $OUT/${round}`, { env });
    expect(wrongIn(disk.at(round)), round).toEqual([]);
    for (let taken = 1; round === 'first' && taken < TAKES_LIMIT; taken++) await tree.ok('touch other/.checkpoint');
  }
}, 180_000);
