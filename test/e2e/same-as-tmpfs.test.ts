import fc from 'fast-check';
import { expect, it } from 'vitest';
import { plainSequences, sequences } from '../support/call-sequences.ts';
import { DirectoryCaller, mountedTmpfs, type Result, type Sequence } from '../support/directory-calls.ts';
import { mounted } from '../support/mounted.ts';

const SEQUENCES = 250;
const PLAIN_SEQUENCES = 60;

/** tmpfs's answers, with what it would have made and nsdir never makes refused as nsdir refuses it. */
function expected(results: readonly Result[], { calls }: Sequence): Result[] {
  return results.map(([outcome, tree], index) => {
    if (outcome !== 'ENOSPC') return [outcome, tree];
    return [calls[index]?.foreign === true ? 'EINVAL' : 'EPERM', tree];
  });
}

async function compare(arbitrary: fc.Arbitrary<Sequence>, runs: number, ...options: string[]): Promise<void> {
  await using tree = await mounted(...options);
  await using tmpfs = await mountedTmpfs();
  await using onTree = new DirectoryCaller(tree.dir);
  await using onTmpfs = new DirectoryCaller(tmpfs.dir, '--model');
  await fc.assert(
    fc.asyncProperty(arbitrary, async (sequence) => {
      const [got, reference] = await Promise.all([onTree.make(sequence), onTmpfs.make(sequence)]);
      const wanted = expected(reference, sequence);
      for (const [index, call] of sequence.calls.entries()) {
        expect(got[index], `call ${index}: ${JSON.stringify(call)}`).toEqual(wanted[index]);
      }
    }),
    { numRuns: Number(process.env['NSDIR_SEQUENCES'] ?? runs) },
  );
}

it('answers any sequence of directory calls by several users as tmpfs does', { timeout: 300_000 }, async () => {
  await compare(sequences, SEQUENCES);
});

it('answers those of the one user of fuse-native as tmpfs does', { timeout: 300_000 }, async () => {
  await compare(plainSequences, PLAIN_SEQUENCES, '--adapter', 'fuse-native');
});
