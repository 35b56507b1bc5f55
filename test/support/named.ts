import path from 'node:path';
import { expect } from 'vitest';

/** Processes that a test leaves behind say by it whose they are (scripts/leftovers). */
process.env['NSDIR_TEST_FILE'] = path.basename(expect.getState().testPath ?? '');
