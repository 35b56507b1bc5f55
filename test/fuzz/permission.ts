import { verdicts } from './verdicts.ts';

/**
 * `npm run fuzz:permission [PAIRS]`: compares the rule by which nsdir decides who may trace whom with what the kernel says,
 * on random pairs of credentials. Ends with 1 if the rule allowed one pair that the kernel refuses.
 */
const PAIRS = 20_000;

const pairs = Number(process.argv[2] ?? PAIRS);
const found = await verdicts(pairs, (done) => {
  process.stderr.write(`\r${done} pairs`);
});
process.stderr.write('\r');
const { allowed, refused, stricter, unsafe } = found;
console.log(`${allowed + refused + stricter + unsafe.length} pairs: both allow ${allowed}, both refuse ${refused}`);
console.log(`the rule is stricter than the kernel: ${stricter}`);
console.log(`unsafe, allowed by the rule and not by the kernel: ${unsafe.length}`);
for (const line of unsafe) console.log(line);
process.exitCode = unsafe.length > 0 ? 1 : 0;
