/**
 * Agents for Node's HTTP clients that connect only to addresses which a guard has checked.
 *
 * For libraries that make their own requests, such as the AWS SDK: whatever host they name, also as a number, is checked,
 * and the connection goes to the checked address without a second look-up.
 */
import { type AgentOptions, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AddressGuard, CheckedAddress } from './address-guard.ts';

export interface GuardedAgents {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
  /** Closes connections that are kept open. */
  destroy(): void;
}

export function createGuardedAgents(guard: AddressGuard, options: AgentOptions = {}): GuardedAgents {
  const httpAgent = guarded(new HttpAgent(options), guard);
  const httpsAgent = guarded(new HttpsAgent(options), guard);
  return {
    httpAgent,
    httpsAgent,
    destroy: () => {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

/** A look-up that knows one answer already. Node tries the addresses in turn. */
export function fixedLookup(addresses: readonly CheckedAddress[]): LookupFunction {
  return (_host, options, callback) => {
    if (options.all) callback(null, [...addresses]);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };
}

/** What Node calls to make a connection; the answer may come later, through the callback. */
type Connect = (options: object, done: (error: Error | null, socket?: Duplex) => void) => Duplex | undefined;

function guarded<A extends HttpAgent>(agent: A, guard: AddressGuard): A {
  const holder = agent as unknown as { createConnection: Connect };
  const connect = holder.createConnection.bind(agent);
  holder.createConnection = (options, done) => {
    const { host, hostname } = options as { host?: string; hostname?: string };
    guard.check(host ?? hostname ?? 'localhost').then(
      (addresses) => {
        try {
          const socket = connect({ ...options, lookup: fixedLookup(addresses) }, done);
          if (socket !== undefined) done(null, socket);
        } catch (error) {
          done(error as Error);
        }
      },
      (error: Error) => done(error),
    );
    return undefined;
  };
  return agent;
}
