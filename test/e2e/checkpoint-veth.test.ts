import { beforeEach, expect, it } from 'vitest';
import { criuIsMissing, nothingHeld } from '../support/checkpoints.ts';
import { detached, initOf, scratch } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

const missing = await criuIsMissing();
let tree: Mounted;
let disk: ReturnType<typeof scratch>;
beforeEach(async ({ skip }) => {
  skip(missing !== undefined, missing);
  disk = scratch();
  tree = await mounted();
  return async () => {
    await tree[Symbol.asyncDispose]();
    disk[Symbol.dispose]();
    await tree.sh(`ip link del ${bridge}`, { cwd: '/' });
  };
});

// Of this test run alone.
const digits = process.pid % 10_000;
const [outside, bridge] = [`nsv${digits}`, `nsb${digits}`];
const network = `10.${200 + (digits >> 8)}.${digits & 255}`;

const SERVER = `
import socket
server = socket.create_server(('0.0.0.0', 8080))
for n in range(1, 10 ** 6):
    one, _ = server.accept()
    one.sendall(str(n).encode())
    one.close()
`;
const ask = () =>
  tree.ok(`python3 -c "import socket; print(socket.create_connection(('${network}.2', 8080), 5).recv(9).decode())"`);

/** A container with a server, and a pair of interfaces between it and the machine. */
async function connected(): Promise<void> {
  await detached(tree, 'web', ['python3', '-c', SERVER], '--net');
  const init = await initOf(tree, 'web');
  await tree.ok(`
    ip link add ${outside} mtu 1400 type veth peer name eth0 netns ${init}
    nsenter -t ${init} -n sh -c 'ip addr add ${network}.2/24 dev eth0; ip link set eth0 up; ip route add default via ${network}.1'
    ip link set ${outside} up`);
}

it('a container that is connected with the machine is so again, and its server counts on', async () => {
  await connected();
  await tree.ok(`ip addr add ${network}.1/24 dev ${outside}`);
  await eventually(async () => Number(await ask()) > 0, 'it answers');
  const before = Number(await ask());
  const shown = () =>
    tree.ok(
      `ip -o addr show dev ${outside} | grep inet | grep -v fe80 | sed 's/^[0-9]*//'; cat /sys/class/net/${outside}/address /sys/class/net/${outside}/mtu`,
    );
  const link = await shown();
  await tree.ok(`mkdir ${disk.at('saved')}; mv web ${disk.at('saved')}/; mv ${disk.at('saved')}/web .`);
  expect(await shown()).toBe(link);
  expect(Number(await ask())).toBe(before + 1);
  const init = await initOf(tree, 'web');
  expect(await tree.ok(`nsenter -t ${init} -n ip route show default`)).toBe(
    `default via ${network}.1 dev eth0`.concat(' '),
  );
  await nothingHeld(tree);
  // A copy beside it would have the same interface.
  await tree.ok(`cp -a web ${disk.at('twin')}`);
  expect((await tree.sh(`cp -a ${disk.at('twin')} twin`)).status).not.toBe(0);
  expect(await tree.ok('cat twin/.error')).toMatch(/^EIO: Cannot restore "twin": .*File exists/);
  expect(Number(await ask())).toBe(before + 2);
});

it('is on its bridge again', async () => {
  await tree.ok(
    `ip link add ${bridge} type bridge; ip addr add ${network}.1/24 dev ${bridge}; ip link set ${bridge} up`,
  );
  await connected();
  await tree.ok(`ip link set ${outside} master ${bridge}`);
  await eventually(async () => Number(await ask()) > 0, 'it answers');
  const before = Number(await ask());
  await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web && tar xf ${disk.at('web.tar')}`);
  expect(Number(await ask())).toBe(before + 1);
});

it('one that is connected with another container is refused, by name', async () => {
  await detached(tree, 'web', ['sleep', '1000'], '--net');
  await detached(tree, 'other', ['sleep', '1000'], '--net');
  const [init, other] = [await initOf(tree, 'web'), await initOf(tree, 'other')];
  await tree.ok(`nsenter -t ${init} -n ip link add eth0 type veth peer name eth0 netns ${other}`);
  for (const command of [`tar cf ${disk.at('web.tar')} web`, `ls web/.checkpoint/.check`]) {
    expect((await tree.sh(command)).status).not.toBe(0);
    expect(await tree.ok('cat web/.error')).toMatch(/its interface eth0 leads to another container’s network/);
  }
  expect(await tree.ok('cat web/.state')).toBe('running');
});
