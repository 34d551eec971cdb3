/**
 * A driver that others wrote, held to the contract: what it answers is looked at before anybody acts on it, and what it throws
 * becomes one clear refusal. The engine sees a driver like any other.
 */
import { ERROR_STATUS, TsnetError, type ErrorCode } from '../model/error.ts';
import type { JsonObject, JsonValue, Network } from '../model/records.ts';
import { frozenCopy, isJson } from '../plan/json.ts';
import { planFaults, type PlanOwner } from '../plan/check-plan.ts';
import type { Driver, EndpointDefaults } from '../plan/driver.ts';
import type { Plan } from '../plan/resource.ts';

/** `source`: the file or package that it came from, for messages. */
export function guardedDriver(driver: Driver, source: string): Driver {
  const { changeMtu } = driver;
  const called = `driver ${driver.name} (${source})`;
  const refuse = (act: string, why: string, cause?: unknown): never => {
    throw new TsnetError('DRIVER', `${act}: ${called} ${why}; nothing was made`, { cause });
  };
  /** Calls it with a copy, so that it cannot change our records, and reads what it throws. */
  const ask = (act: string, what: string, work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal !== undefined) throw refusal;
      return refuse(
        act,
        `failed in ${what} (${error instanceof Error ? `${error.name}: ${error.message}` : String(error)})`,
        error,
      );
    }
  };
  const plan = (act: string, what: string, owner: PlanOwner, work: () => unknown): Plan => {
    const answer = ask(act, what, work);
    const [fault, ...more] = planFaults(answer, owner);
    if (fault === undefined) return answer as Plan;
    return refuse(
      act,
      `gave a plan that cannot be used: ${fault}${more.length === 0 ? '' : ` (and ${more.length} more)`}`,
    );
  };
  const networkPlan = (network: Network): Plan =>
    plan(`network ${network.name}`, 'networkPlan', { network }, () => driver.networkPlan(frozenCopy(network)));

  return {
    ...driver,
    configure: (input) => {
      const act = `create network ${input.draft.name}`;
      const settings = ask(act, 'configure', () => driver.configure(frozenCopy(input)));
      return isJson(settings) && isObject(settings)
        ? settings
        : refuse(act, `decided on settings that are no JSON object: ${nameOf(settings)}`);
    },
    endpointDefaults: (network) => {
      const act = `network ${network.name}`;
      const defaults = ask(act, 'endpointDefaults', () => driver.endpointDefaults(frozenCopy(network)));
      return isDefaults(defaults)
        ? defaults
        : refuse(act, 'gave no interfacePrefix and publishAddress for its endpoints');
    },
    ...(changeMtu === undefined
      ? {}
      : {
          changeMtu: (network, change) => {
            const act = `update network ${network.name}`;
            const settings = ask(act, 'changeMtu', () => changeMtu(frozenCopy(network), frozenCopy(change)));
            return isJson(settings) && isObject(settings)
              ? settings
              : refuse(act, `decided on settings that are no JSON object: ${nameOf(settings)}`);
          },
        }),
    networkPlan,
    endpointPlan: (network, endpoint) =>
      plan(`network ${network.name}`, 'endpointPlan', { network, endpoint, networkPlan: networkPlan(network) }, () =>
        driver.endpointPlan(frozenCopy(network), frozenCopy(endpoint)),
      ),
  };
}

/** A TsnetError of the driver's own copy of our class is no instance of ours. */
function asRefusal(error: unknown): TsnetError | undefined {
  if (error instanceof TsnetError) return error;
  if (!(error instanceof Error) || error.name !== 'TsnetError' || !('code' in error)) return undefined;
  const { code } = error;
  if (typeof code !== 'string' || !Object.hasOwn(ERROR_STATUS, code)) return undefined;
  return new TsnetError(code as ErrorCode, error.message, { cause: error });
}

function isDefaults(value: unknown): value is EndpointDefaults {
  if (typeof value !== 'object' || value === null) return false;
  const { interfacePrefix, publishAddress } = value as Partial<Readonly<Record<keyof EndpointDefaults, unknown>>>;
  return typeof interfacePrefix === 'string' && interfacePrefix !== '' && typeof publishAddress === 'string';
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  if (value instanceof Promise) return 'a promise (configure must not wait)';
  return Array.isArray(value)
    ? 'an array'
    : typeof value === 'object' && value !== null
      ? 'it holds more than JSON can'
      : String(value);
}
