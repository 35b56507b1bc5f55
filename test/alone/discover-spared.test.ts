import { expect, it } from 'vitest';
import { discovering, making, shown } from '../support/found.ts';
import { isAlive } from '../support/mounted.ts';

const USER = 4321;

/**
 * In a set of its own: one process with the rights of the user, who may become root, one who is quick to die, many others of his,
 * and one who becomes root when the quick one is killed. Prints the pid of the first.
 */
const SET = `
import ctypes, os, select, time
CLONE_NEWUTS = 0x04000000
def become_user():
    os.setresuid(${USER}, ${USER}, 0)
def forked(then):
    pid = os.fork()
    if pid == 0:
        then()
        while True:
            time.sleep(1000)
    return pid
def wait_for(pid):
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    poll.poll()
def become_quick():
    # Whoever kills the others one by one is no quicker.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    become_user()
ctypes.CDLL(None).unshare(CLONE_NEWUTS)
first = forked(become_quick)
others = [forked(become_user) for _ in range(300)]
def change():
    become_quick()
    wait_for(first)
    os.setresuid(0, 0, 0)
forked(change)
become_user()
print(os.getpid(), flush=True)
time.sleep(1000)
`;

it('leaves alive in a removal who became another user meanwhile, and shows him anew', async () => {
  await using tree = await discovering();
  await using maker = await making('python3', '-c', SET);
  const at = await shown(tree, maker.pid);
  const [last, inode] = (await tree.ok(`tail -n 1 ${at}/.procs; stat -c %i ${at}`)).split('\n');
  await tree.ok(`chmod 1777 . && chown ${USER} ${at}`);
  expect(await tree.as(USER, `rm -rf ${at}`)).toMatchObject({ status: 0 });
  expect([isAlive(maker.pid), isAlive(Number(last))]).toEqual([false, true]);
  const again = await shown(tree, Number(last));
  expect(await tree.ok(`cat ${again}/.procs`)).toBe(last);
  expect(await tree.ok(`stat -c %i ${again}`)).not.toBe(inode);
});
