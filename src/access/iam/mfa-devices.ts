/**
 * Virtual MFA devices: made, enabled for a user by two codes in a row, taken away, deleted.
 *
 * The seed is in the answer that makes the device, as text to type in; it comes without a picture of it.
 * Source: IAM API Reference.
 */
import { ApiError } from '../../api/api-error.ts';
import { type Call, REPEATS_MS } from '../../api/operation.ts';
import { requestTagContext } from '../../api/tags.ts';
import type { AccountId } from '../../event/types.ts';
import type { CatalogDocument } from '../../store/catalog.ts';
import { base32 } from '../base32.ts';
import { noSuchEntity } from '../identities.ts';
import { added, changed, removed, replaced } from '../identity-changes.ts';
import type { Tag } from '../identity-documents.ts';
import { type MfaDevice, mfaContext, mfaKey, mfaSecret, stepOfCode } from '../mfa-device.ts';
import {
  alreadyExists,
  checkTags,
  deleteConflict,
  entityAccess,
  type IamDeps,
  type IamOperation,
  limitExceeded,
  ownUserName,
} from './iam-deps.ts';
import { userOutput } from './outputs.ts';
import { listPage, type PageInput } from './page.ts';

const DEVICES_PER_USER_MAX = 8;
/** Not the service's: it bounds what lies in the catalog unused. */
const DEVICES_PER_ACCOUNT_MAX = 5_000;
const SECRET_BYTES = 40;

interface CreateInput {
  readonly VirtualMFADeviceName: string;
  readonly Path?: string;
  readonly Tags?: readonly Tag[];
}

function serialOf(account: AccountId, { Path = '/', VirtualMFADeviceName }: CreateInput): string {
  return `arn:aws:iam::${account}:mfa${Path}${VirtualMFADeviceName}`;
}

export function createVirtualMfaDevice({ identities, keys, chance }: IamDeps): IamOperation<CreateInput> {
  return {
    name: 'CreateVirtualMFADevice',
    isReadOnly: false,
    refusesReplay: { afterMs: REPEATS_MS },
    access: (call, input) => [
      { action: 'iam:CreateVirtualMFADevice', resource: serialOf(call.account, input), context: requestTagContext(input.Tags) },
    ],
    decide: async ({ account }, input) => {
      const tags = checkTags(input.Tags ?? []);
      const serialNumber = serialOf(account, input);
      const key = mfaKey(account, serialNumber);
      if (await identities.isTaken(key)) throw alreadyExists('MFADevice entity at the same path and name already exists.');
      if ((await identities.listDocuments(['mfa-device', account])).length >= DEVICES_PER_ACCOUNT_MAX)
        throw limitExceeded('MFADevicesPerAccount', DEVICES_PER_ACCOUNT_MAX);
      const secret = chance.bytes(SECRET_BYTES);
      const wrapped = await keys.wrap(secret, mfaContext(serialNumber));
      const device: MfaDevice = { account, serialNumber, wrappedSecret: Buffer.from(wrapped).toString('base64'), tags, usedStep: 0 };
      const seed = Buffer.from(base32(secret));
      return {
        output: { VirtualMFADevice: { SerialNumber: serialNumber, Base32StringSeed: seed, ...(tags.length === 0 ? {} : { Tags: tags }) } },
        responseElements: { virtualMFADevice: { serialNumber } },
        ...identities.save([added(key, device)]),
      };
    },
  };
}

interface EnableInput {
  readonly UserName: string;
  readonly SerialNumber: string;
  readonly AuthenticationCode1: string;
  readonly AuthenticationCode2: string;
}

export function enableMfaDevice(deps: IamDeps): IamOperation<EnableInput> {
  const { identities, keys, clock } = deps;
  return {
    name: 'EnableMFADevice',
    isReadOnly: false,
    access: (call, { UserName }) => entityAccess(deps, call, { action: 'EnableMFADevice', kind: 'User', name: UserName }),
    decide: async ({ account }, { UserName, SerialNumber, AuthenticationCode1, AuthenticationCode2 }) => {
      const user = await identities.need('User', account, UserName);
      const device = await needDevice(deps, account, SerialNumber);
      if (device.value.userName !== undefined) throw alreadyExists(`MFA Device is already in use.`);
      if (user.value.mfaSerials.length >= DEVICES_PER_USER_MAX) throw limitExceeded('MFADevicesPerUser', DEVICES_PER_USER_MAX);
      const secret = await mfaSecret(keys, device.value);
      const nowMs = deps.realTimeMs();
      const first = stepOfCode(secret, AuthenticationCode1, { nowMs, usedStep: 0 });
      const second = first === undefined ? undefined : stepOfCode(secret, AuthenticationCode2, { nowMs, usedStep: first });
      if (second === undefined)
        throw new ApiError('InvalidAuthenticationCode', 'Authentication code for device is not valid.', { status: 403 });
      return {
        output: {},
        requestParameters: { userName: UserName, serialNumber: SerialNumber },
        ...identities.save([
          changed(device, { userName: UserName, enabledAtMs: clock.nowMs(), usedStep: second }),
          changed(user, { mfaSerials: [...user.value.mfaSerials, SerialNumber] }),
        ]),
      };
    },
  };
}

/** @throws ApiError NoSuchEntity */
async function needDevice({ identities }: IamDeps, account: AccountId, serialNumber: string): Promise<CatalogDocument<MfaDevice>> {
  const found = await identities.get<MfaDevice>(mfaKey(account, serialNumber));
  if (found !== undefined) return found;
  throw noSuchEntity(`VirtualMFADevice with serial number ${serialNumber} doesn't exist.`);
}

interface DeviceInput {
  readonly UserName?: string;
  readonly SerialNumber: string;
}

export function deactivateMfaDevice(deps: IamDeps): IamOperation<DeviceInput> {
  const { identities } = deps;
  return {
    name: 'DeactivateMFADevice',
    isReadOnly: false,
    access: (call, input) => entityAccess(deps, call, { action: 'DeactivateMFADevice', kind: 'User', name: userNameOf(call, input) }),
    decide: async (call, input) => {
      const user = await identities.need('User', call.account, userNameOf(call, input));
      const device = await needDevice(deps, call.account, input.SerialNumber);
      if (device.value.userName !== user.value.name) throw noSuchEntity(`MFADevice ${input.SerialNumber} is not enabled for this user.`);
      const { userName: _, enabledAtMs: __, ...value } = device.value;
      const mfaSerials = user.value.mfaSerials.filter((serial) => serial !== input.SerialNumber);
      return {
        output: {},
        ...identities.save([replaced(device, value), changed(user, { mfaSerials })]),
      };
    },
  };
}

function userNameOf(call: Call, { UserName }: { readonly UserName?: string }): string {
  return UserName ?? ownUserName(call);
}

export function deleteVirtualMfaDevice(deps: IamDeps): IamOperation<{ readonly SerialNumber: string }> {
  const { identities } = deps;
  return {
    name: 'DeleteVirtualMFADevice',
    isReadOnly: false,
    access: (_, { SerialNumber }) => [{ action: 'iam:DeleteVirtualMFADevice', resource: SerialNumber }],
    decide: async ({ account }, { SerialNumber }) => {
      const device = await needDevice(deps, account, SerialNumber);
      if (device.value.userName !== undefined) throw deleteConflict('MFA VirtualDevice in use. Must deactivate first.');
      return { output: {}, ...identities.save([removed(device)]) };
    },
  };
}

export function listMfaDevices(deps: IamDeps): IamOperation<PageInput & { readonly UserName?: string }> {
  const { identities } = deps;
  return {
    name: 'ListMFADevices',
    isReadOnly: true,
    access: (call, input) => entityAccess(deps, call, { action: 'ListMFADevices', kind: 'User', name: userNameOf(call, input) }),
    decide: async (call, input) => {
      const { value: user } = await identities.need('User', call.account, userNameOf(call, input));
      const devices = await Promise.all(user.mfaSerials.map((serial) => needDevice(deps, call.account, serial)));
      const { items, more } = await listPage(
        deps,
        { call, operation: 'ListMFADevices', input },
        devices,
        ({ value }) => value.serialNumber,
      );
      return {
        output: {
          MFADevices: items.map(({ value }) => ({
            UserName: user.name,
            SerialNumber: value.serialNumber,
            EnableDate: new Date(value.enabledAtMs ?? 0),
          })),
          ...more,
        },
      };
    },
  };
}

export function listVirtualMfaDevices(deps: IamDeps): IamOperation<PageInput & { readonly AssignmentStatus?: string }> {
  return {
    name: 'ListVirtualMFADevices',
    isReadOnly: true,
    decide: async (call, input) => {
      const { identities } = deps;
      const { account } = call;
      const { AssignmentStatus: status = 'Any' } = input;
      const all = (await identities.listDocuments<MfaDevice>(['mfa-device', account])).filter(
        ({ value }) => status === 'Any' || (value.userName !== undefined) === (status === 'Assigned'),
      );
      const { items, more } = await listPage(
        deps,
        { call, operation: 'ListVirtualMFADevices', input },
        all,
        ({ value }) => value.serialNumber,
      );
      const devices = items.map(async ({ value: { serialNumber, userName, enabledAtMs } }) => {
        if (userName === undefined) return { SerialNumber: serialNumber };
        const user = await identities.find('User', account, userName);
        return {
          SerialNumber: serialNumber,
          ...(user === undefined ? {} : { User: userOutput(user.value) }),
          EnableDate: new Date(enabledAtMs ?? 0),
        };
      });
      return { output: { VirtualMFADevices: await Promise.all(devices), ...more } };
    },
  };
}
