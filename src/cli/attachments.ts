/** `--network` of `run`, in Docker's short form (a name) and long form (`name=web,ip=10.0.0.7,alias=www`). */
import { InvalidArgumentError } from 'commander';
import type { AttachOptions } from '../engine/engine.ts';
import { UsageError } from './errors.ts';

export interface Attachment extends AttachOptions {
  readonly network: string;
}

/** Options beside `--network`; they go to the first network. */
export interface FirstAttachmentOptions {
  readonly ip?: string;
  readonly ip6?: string;
  readonly macAddress?: string;
  readonly alias?: readonly string[];
  readonly publish?: readonly string[];
}

const KEYS = 'name, alias, ip, ip6, mac-address, gw-priority, interface-name, driver-opt';

/** Parses one value of `--network`; its address and the like are the engine's to check. */
export function parseNetworkOption(value: string): Attachment {
  if (!/^[a-z0-9-]+=/i.test(value)) {
    if (value === '') throw new InvalidArgumentError('The name of a network is missing.');
    return { network: value };
  }
  let attachment: Partial<Attachment> = {};
  for (const field of value.split(',')) {
    const sign = field.indexOf('=');
    const [key, text] = [field.slice(0, sign).trim().toLowerCase(), field.slice(sign + 1).trim()];
    if (sign < 1 || text === '') throw new InvalidArgumentError(`Expected KEY=VALUE, not "${field}".`);
    attachment = withField(attachment, key, text);
  }
  const { network } = attachment;
  if (network === undefined) throw new InvalidArgumentError('The long form needs name=NETWORK.');
  return { ...attachment, network };
}

function withField(attachment: Partial<Attachment>, key: string, text: string): Partial<Attachment> {
  switch (key) {
    case 'name':
      return { ...attachment, network: text };
    case 'alias':
      return { ...attachment, aliases: [...(attachment.aliases ?? []), text] };
    case 'ip':
      return { ...attachment, ip: text };
    case 'ip6':
      return { ...attachment, ip6: text };
    case 'mac-address':
      return { ...attachment, mac: text };
    case 'interface-name':
      return { ...attachment, interfaceName: text };
    case 'gw-priority':
      if (!/^[+-]?\d{1,9}$/.test(text)) throw new InvalidArgumentError('gw-priority takes a whole number.');
      return { ...attachment, gatewayPriority: Number(text) };
    case 'driver-opt': {
      const sign = text.indexOf('=');
      if (sign < 1) throw new InvalidArgumentError('driver-opt takes KEY=VALUE.');
      const option = { [text.slice(0, sign)]: text.slice(sign + 1) };
      return { ...attachment, driverOptions: { ...attachment.driverOptions, ...option } };
    }
    default:
      throw new InvalidArgumentError(`There is no "${key}" in it; there are ${KEYS}.`);
  }
}

/** The networks to attach, in order. @throws UsageError for options that contradict each other */
export function attachmentsOf(networks: readonly Attachment[], first: FirstAttachmentOptions): Attachment[] {
  const [head = { network: 'bridge' }, ...rest] = networks;
  const given = {
    ...(first.ip === undefined ? {} : { ip: first.ip }),
    ...(first.ip6 === undefined ? {} : { ip6: first.ip6 }),
    ...(first.macAddress === undefined ? {} : { mac: first.macAddress }),
    ...(first.alias === undefined ? {} : { aliases: first.alias }),
    ...(first.publish === undefined ? {} : { ports: first.publish }),
  };
  const twice = Object.keys(given).find((key) => key in head);
  if (twice !== undefined) {
    throw new UsageError(`${twice} is given for network ${head.network} and again beside it; give it once`);
  }
  return [{ ...head, ...given }, ...rest];
}
