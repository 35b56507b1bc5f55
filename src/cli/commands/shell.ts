import fs from 'node:fs';
import { subordinateEnvironment } from '../../proc/subordinate-ids.ts';
import { defineCommand } from '../command.ts';
import { initBinary, privateMachineScript } from '../package.ts';
import { standIn } from '../stand-in.ts';

export const shell = defineCommand({
  name: 'shell',
  summary: 'a shell in a private machine, in which an ordinary user is root',
  usage: '[-- COMMAND [ARGUMENT…]]',
  details: [
    'The machine has user, mount and pid namespaces of its own, the files and the network of this one, a new /run, and a tree ' +
      'of containers at /namespaces, by the kernel’s protocol itself. What takes privileges over this machine fails in it.',
    'It ends with the shell, or COMMAND, and with it all that was started in it. The exit status is that of the command, ' +
      '128+n if signal n ended it, and 125 if there is no such machine; nsdir doctor says why.',
  ],
  options: {},
  words: [0, 0],
  rest: 'optional',
  async run({ rest = [] }) {
    const command = rest.length > 0 ? rest : [process.env['SHELL'] ?? '/bin/sh'];
    const environment = { ...process.env, ...subordinateEnvironment(fs), NSDIR_NODE: process.execPath };
    return await standIn(await initBinary(), ['machine', await privateMachineScript(), ...command], { environment });
  },
});
