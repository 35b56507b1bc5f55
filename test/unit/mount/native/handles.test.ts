import { describe, expect, it } from 'vitest';
import { Handles } from '../../../../mount/native/handles.ts';
import { serial } from '../../../../src/ids.ts';
import { directoryId } from '../../../../src/tree/node-id.ts';

const id = directoryId(serial(1));
const file = (handle: number, path = '/web/.state') => ({ id, handle, path });

describe('Handles', () => {
  it('gives small numbers, never 0, which the library takes for none', () => {
    const handles = new Handles();
    const numbers = [5, 6, 7].map((handle) => handles.add(file(handle)));
    expect(numbers).toEqual([1, 2, 3]);
    expect(handles.get(2).handle).toBe(6);
  });

  it('knows a path as long as somebody has it open', () => {
    const handles = new Handles();
    const [first, second] = [handles.add(file(5)), handles.add(file(6))];
    handles.remove(first);
    expect(handles.openAt('/web/.state')).toBe(id);
    handles.remove(second);
    expect(handles.openAt('/web/.state')).toBeUndefined();
  });

  it('throws ENFILE beyond what may be open at once', () => {
    const handles = new Handles();
    for (let number = 1; number <= 65_536; number++) handles.add(file(number));
    expect(() => handles.add(file(1))).toThrow(expect.objectContaining({ errno: 'ENFILE' }) as Error);
    handles.remove(7);
    expect(handles.add(file(1))).toBe(65_537);
  });

  it('throws EBADF for what is not open any more', () => {
    const handles = new Handles();
    const number = handles.add(file(5));
    expect(handles.remove(number)?.handle).toBe(5);
    expect(handles.remove(number)).toBeUndefined();
    expect(() => handles.get(number)).toThrow(expect.objectContaining({ errno: 'EBADF' }) as Error);
  });
});
