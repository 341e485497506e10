/**
 * A moto_server that stands for AWS: CloudWatch Logs, SNS, SQS, IAM and STS behind one endpoint.
 */
import { freePort, startTool, type Tool, untilAnswers } from './start-tool.ts';

/** The account that moto takes everybody for whose key it does not know. */
export const MOTO_ACCOUNT = '123456789012';
export const MOTO_KEY = { accessKeyId: 'testing', secretAccessKey: 'testing-secret' } as const;

export interface Moto {
  readonly endpoint: string;
  /** From now on IAM decides what keys may do. */
  enforce(): Promise<void>;
  stop(): Promise<void>;
}

export async function startMoto(): Promise<Moto> {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const tool: Tool = startTool('moto_server', ['-H', '127.0.0.1', '-p', new URL(endpoint).port]);
  await untilAnswers(endpoint, tool);
  return {
    endpoint,
    enforce: async () => {
      const { status } = await fetch(`${endpoint}/moto-api/reset-auth`, { method: 'POST', body: '0' });
      if (status !== 200) throw new Error(`moto does not turn IAM on: ${status}`);
    },
    stop: () => tool.stop(),
  };
}
