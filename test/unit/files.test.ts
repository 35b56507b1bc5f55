import { readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ifThere, readlinkIfAllowed } from '../../src/files.ts';
import * as files from 'node:fs';

const { stackTraceLimit } = Error;

describe('ifThere', () => {
  test('is nothing for what is gone, without a stack that nobody reads', () => {
    const stacks: (string | undefined)[] = [];
    const look = () => {
      try {
        return readlinkSync('/proc/self/fd/1000000');
      } catch (error) {
        stacks.push((error as Error).stack);
        throw error;
      }
    };
    expect(ifThere(look)).toBeUndefined();
    expect(stacks).toHaveLength(1);
    expect(stacks[0]).not.toMatch(/\n\s+at /);
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  });

  test('passes other errors, which say where they come from', () => {
    const look = () => ifThere(() => files.readFileSync('/proc', 'utf8'));
    expect(look).toThrow('EISDIR');
    expect(look).toThrow(
      expect.objectContaining({ stack: expect.stringMatching(/EISDIR[\s\S]*\n\s+at .*files/) as string }),
    );
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  });
});

test('readlinkIfAllowed is nothing for what is gone', () => {
  expect(readlinkIfAllowed(files, '/proc/self/fd/1000000')).toBeUndefined();
  expect(readlinkIfAllowed(files, '/proc/self/ns/net')).toMatch(/^net:/);
});
