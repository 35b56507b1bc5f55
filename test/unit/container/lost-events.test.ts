import { expect, test } from 'vitest';
import { LostEvents, LOST_LOG_MS } from '../../../src/container/lost-events.ts';

test('says at once that events were lost, and then once in a while how often', () => {
  const said: unknown[] = [];
  const lost = new LostEvents({ warn: (fields: unknown) => said.push(fields) });
  for (const nowMs of [5, 6, 4 + LOST_LOG_MS, 5 + LOST_LOG_MS, 6 + LOST_LOG_MS]) lost.note(nowMs);
  expect(said).toEqual([{ times: 1 }, { times: 4 }]);
});
