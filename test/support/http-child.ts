/**
 * A server in a process of its own, for tests of what the process is short of. Prints its URL, then its problems.
 */
import { HttpRig } from './http-rig.ts';

const rig = await HttpRig.start({
  pages: new Map([['/healthz', async () => ({ status: 200, contentType: 'text/plain', body: 'ok' })]]),
  limits: { keepAliveMs: 200 },
});
console.log(rig.url);
setInterval(() => {
  for (const problem of rig.problems.splice(0)) console.log(problem.kind);
}, 20);
