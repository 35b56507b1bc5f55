import { describe, expect, it } from 'vitest';
import { Interruption } from '../../../../mount/device/interruption.ts';

describe('Interruption', () => {
  it('signal is aborted when it happens afterwards', () => {
    const interruption = new Interruption();
    const { signal } = interruption;
    expect(signal.aborted).toBe(false);
    interruption.happen();
    expect(signal.aborted).toBe(true);
    expect(interruption.signal).toBe(signal);
  });

  it('signal is aborted from the beginning when it happened before anybody asked', () => {
    const interruption = new Interruption();
    interruption.happen();
    expect(interruption.signal.aborted).toBe(true);
  });
});
