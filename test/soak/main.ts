import { soak } from './soak.ts';

/**
 * `npm run soak:enter [ENTERS [WHAT]]`: many enters under signals; with WHAT `daemon` the daemon is killed in between, with
 * `targets` some of those who enter. Ends with 1 if a target was harmed.
 */
const ENTERS = 2_000;

const WHAT: readonly (string | undefined)[] = [undefined, 'daemon', 'targets'];

const [enters = String(ENTERS), what] = process.argv.slice(2);
if (!/^[1-9]\d*$/.test(enters) || !WHAT.includes(what)) {
  console.error('usage: npm run soak:enter [ENTERS [daemon|targets]]');
  process.exit(2);
}
const result = await soak({ enters: Number(enters), killDaemon: what === 'daemon', killTargets: what === 'targets' });
const { us, lost, faults } = result;
const at = (share: number) => ((us[Math.floor(us.length * share)] ?? 0) / 1000).toFixed(2);
console.log(`${result.entered} entered, of ${result.targets} targets; refused: ${JSON.stringify(result.refused)}`);
console.log(`a link call took ${at(0.5)} ms (median), ${at(0.99)} ms (99 %), ${at(0.9999)} ms (longest)`);
console.log(`killed on purpose: ${result.killed} targets while they entered, the daemon ${result.daemonKills} times`);
console.log(`targets lost: ${lost.length}, faults: ${faults.length}`);
for (const line of [...lost, ...faults]) console.log(`  ${line}`);
process.exitCode = lost.length + faults.length > 0 ? 1 : 0;
