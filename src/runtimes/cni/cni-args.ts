/** CNI_ARGS: `IP=10.0.0.5;MAC=02:42:0a:00:00:05;K8S_POD_NAME=web-0`, in any order. */
import { CniError } from './cni-error.ts';

export interface CniArgs {
  readonly ips: readonly string[];
  readonly mac?: string;
  readonly podName?: string;
  readonly podNamespace?: string;
}

const KNOWN = [
  'IP',
  'MAC',
  'IgnoreUnknown',
  'K8S_POD_NAME',
  'K8S_POD_NAMESPACE',
  'K8S_POD_INFRA_CONTAINER_ID',
  'K8S_POD_UID',
];

/** @throws CniError 4 for what is no pair, and for an unknown key unless IgnoreUnknown is set */
export function readArgs(text: string): CniArgs {
  const pairs = new Map<string, string>();
  for (const part of text.split(';')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    if (equals < 1) throw new CniError(4, `invalid CNI_ARGS: ${JSON.stringify(part)} is not KEY=VALUE`);
    pairs.set(part.slice(0, equals), part.slice(equals + 1));
  }
  const unknown = [...pairs.keys()].filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0 && !ignoresUnknown(pairs.get('IgnoreUnknown'))) {
    throw new CniError(
      4,
      `invalid CNI_ARGS: unknown args ${JSON.stringify(unknown)}`,
      `known are ${KNOWN.join(', ')}; IgnoreUnknown=1 lets others pass`,
    );
  }
  const given = (key: string): string | undefined => pairs.get(key) || undefined;
  const [mac, podName, podNamespace] = [given('MAC'), given('K8S_POD_NAME'), given('K8S_POD_NAMESPACE')];
  return {
    ips: (given('IP') ?? '').split(',').filter((ip) => ip !== ''),
    ...(mac === undefined ? {} : { mac }),
    ...(podName === undefined ? {} : { podName }),
    ...(podNamespace === undefined ? {} : { podNamespace }),
  };
}

/** As Go's strconv.ParseBool, which the reference plugins use. */
function ignoresUnknown(value: string | undefined): boolean {
  if (value === undefined) return false;
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new CniError(4, `invalid CNI_ARGS: IgnoreUnknown=${value} is neither true nor false`);
}
