/**
 * Asks nameservers until one gives a good answer: the first, and when it lets us wait, the next as well. The first good answer
 * wins; "no such name" is one.
 */
import { exchange, type Question, type UpstreamPlace } from './exchange.ts';
import { RCODE, rcodeOf } from './message.ts';
import type { Server, UpstreamHealth } from './upstream-health.ts';

/** Before the C library gives up on us, after 5 s. */
const DEADLINE_MS = 4000;
/** Between questions to servers that were asked before: a datagram may have been lost. */
const AGAIN_MS = 1000;
/** Questions beyond one for each server. */
const MORE_QUESTIONS = 2;

export interface RaceInput {
  readonly place: UpstreamPlace;
  readonly servers: readonly Server[];
  readonly question: Question;
  readonly health: UpstreamHealth;
  /** Milliseconds. */
  readonly now: () => number;
}

function isGood(answer: Buffer): boolean {
  const rcode = rcodeOf(answer);
  return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;
}

/** Undefined when nobody answered; a bad answer (SERVFAIL, REFUSED …) when there was no better one. Never rejects. */
export function race({ place, servers, question, health, now }: RaceInput): Promise<Buffer | undefined> {
  const { order, together } = health.plan(place.key, servers);
  return new Promise((resolve) => {
    const underWay = new Map<Server, number>();
    let asked = 0;
    let isOver = false;
    let bad: Buffer | undefined;
    let next: NodeJS.Timeout | undefined;

    const finish = (answer: Buffer | undefined): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(next);
      clearTimeout(deadline);
      resolve(answer);
    };
    const deadline = setTimeout(() => {
      finish(bad);
    }, DEADLINE_MS);

    const ask = (): void => {
      clearTimeout(next);
      const server = order[asked % Math.max(1, order.length)];
      if (isOver || server === undefined || asked >= order.length + MORE_QUESTIONS) return;
      asked += 1;
      const isLastNew = asked >= order.length;
      const started = now();
      underWay.set(server, started);
      // A loser's answer is awaited too: it tells whether it is slow or gone.
      ask1(server).then(
        (answer) => {
          underWay.delete(server);
          health.answered(place.key, server, now() - started);
          if (isGood(answer)) {
            for (const [other, since] of underWay) {
              if (since < started) health.failed(place.key, other);
            }
            finish(answer);
            return;
          }
          bad ??= answer;
          goOn();
        },
        () => {
          underWay.delete(server);
          health.failed(place.key, server);
          goOn();
        },
      );
      next = setTimeout(ask, isLastNew ? AGAIN_MS : health.patience(place.key, server));
    };
    const ask1 = async (server: Server): Promise<Buffer> => exchange(place, server, question);
    /** After a failure there is nothing to wait for: the next at once, or the end when all have spoken. */
    const goOn = (): void => {
      if (isOver) return;
      if (asked < order.length) ask();
      else if (underWay.size === 0) finish(bad);
    };

    if (order.length === 0) finish(undefined);
    for (let index = 0; index < Math.min(together, order.length); index += 1) ask();
  });
}
