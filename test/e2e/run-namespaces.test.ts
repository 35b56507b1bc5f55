import { expect, it } from 'vitest';
import { initOf, namespace, okInside } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it('gives with --net a network that has only its own loopback interface, and that is up', async () => {
  await using tree = await mounted();
  const { stdout } = await tree.nsdir(
    'run',
    '--net',
    'web',
    '--',
    'sh',
    '-c',
    'ls /sys/class/net; cat /sys/class/net/lo/flags',
  );
  const [name, flags] = stdout.split('\n');
  expect(name).toBe('lo');
  expect(Number(flags) & 1).toBe(1); // IFF_UP, netdevice(7)
});

it('answers on 127.0.0.1 of that network, where nobody else listens', async () => {
  await using tree = await mounted();
  const script = `
import socket, threading
server = socket.create_server(("127.0.0.1", 80))
threading.Thread(target=lambda: server.accept()[0].sendall(b"hello")).start()
print(socket.create_connection(("127.0.0.1", 80)).recv(5).decode())`;
  expect(await tree.nsdir('run', '--net', 'web', '--', 'python3', '-c', script)).toMatchObject({ stdout: 'hello' });
});

it('shares our network without --net', async () => {
  await using tree = await mounted();
  expect(await okInside(tree, 'web', 'readlink /proc/self/ns/net')).toBe(namespace('self', 'net'));
});

it('makes just the kinds of --ns', async () => {
  await using tree = await mounted();
  const kinds = ['mnt', 'uts', 'ipc', 'net', 'pid', 'user', 'cgroup', 'time'];
  const { status } = await tree.nsdir('run', '-d', '--ns', 'uts,ipc', 'web', '--', 'sleep', '1000');
  expect(status).toBe(0);
  const init = await initOf(tree, 'web');
  expect(kinds.filter((kind) => namespace(init, kind) !== namespace('self', kind))).toEqual(['uts', 'ipc']);
  expect(await okInside(tree, 'web', 'hostname')).toBe('web');
});

it.each(['pid', 'mnt', 'uts', 'net', 'cgroup', 'time', 'mnt,pid', 'user', 'user,mnt,pid,net,uts,ipc,cgroup'])(
  'runs a command with --ns %s',
  async (list) => {
    await using tree = await mounted();
    expect(await tree.nsdir('run', '--ns', list, 'web', '--', 'echo', 'hello')).toEqual({
      status: 0,
      stdout: 'hello',
      stderr: '',
    });
  },
);

it('refuses other kinds for what runs already', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const outcome = await tree.nsdir('run', '--net', 'web', '--', 'true');
  expect(outcome.status).toBe(125);
  expect(outcome.stderr).toMatch(/runs already, with the namespaces it has; leave out --net and --ns/);
});
