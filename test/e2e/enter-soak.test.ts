import { expect, it } from 'vitest';
import { soak } from '../soak/soak.ts';

it('harms no process that enters deeper and deeper, under signals, stops and continues', async () => {
  const { entered, refused, reasons, lost, faults } = await soak({ enters: 120 });
  expect([refused, lost, faults], reasons.join('\n')).toEqual([{}, [], []]);
  expect(entered).toBeGreaterThanOrEqual(120);
});

it('harms none when others are killed while they enter', async () => {
  const { lost, faults } = await soak({ enters: 120, killTargets: true });
  expect([lost, faults]).toEqual([[], []]);
});

it('harms none when the daemon is killed while they enter, and loses no request', async () => {
  const { refused, reasons, lost, faults, daemonKills } = await soak({ enters: 40, killDaemon: true });
  expect([refused, lost, faults], reasons.join('\n')).toEqual([{}, [], []]);
  expect(daemonKills).toBeGreaterThanOrEqual(10);
});
