import type { ByteBudget } from '../byte-budget.ts';
import { Recording } from '../recording.ts';
import { Flight, type FlightPlan, type Landing } from './flight.ts';
import type { Mail, Message } from './mail.ts';

/** Who makes a call for others is asked so often whether it is there. */
const pingMs = 200;
/** Who has said nothing for so long is taken to be gone. */
const silenceMs = 1_000;
/** A timer that is later than this says that this process stalled: what was sent to it is not read yet. */
const stalledMs = 100;
/** What is recorded of a stream here may be as much as where it is recorded. */
const anyBytes = Number.POSITIVE_INFINITY;

/** A call of another process that is followed here. */
interface Followed {
  flight: Flight;
  leader: string;
  recording: Recording | null;
  /** The piece from which on it was asked for last. */
  askedFrom: number;
}

/** Follows calls that other processes make. `now`: milliseconds. */
export function createRemoteFlights(options: { mail: Mail; held: ByteBudget; now: () => number }) {
  const { mail, held, now } = options;
  const followed = new Map<string, Followed>();
  /** When a process last said something. */
  const heard = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function end(token: string, landing: Landing, ending: 'whole' | 'broken'): void {
    const each = followed.get(token);
    if (!each) return;
    followed.delete(token);
    each.recording?.end(ending);
    each.flight.land(landing, ending);
    each.recording?.release();
  }
  const gone = (token: string) => end(token, { kind: 'gone' }, 'broken');

  /** Nobody here waits for it any more, or it cannot be held. */
  function leave(token: string): void {
    if (!followed.has(token)) return;
    gone(token);
    mail.send(leaderOf(token), { type: 'leave', token }).catch(() => {});
  }

  function ask(token: string, each: Followed): void {
    each.askedFrom = each.recording?.length ?? 0;
    mail.send(each.leader, { type: 'join', token, position: each.askedFrom }).then(
      (arrived) => arrived || gone(token),
      () => gone(token),
    );
  }

  function watch(due: number): void {
    const stalled = now() - due > stalledMs;
    const leaders = Map.groupBy(followed, ([, { leader }]) => leader);
    for (const [leader, flights] of leaders) {
      const tokens = flights.map(([token]) => token);
      mail.send(leader, { type: 'ping', tokens }).then(
        (arrived) => arrived || tokens.forEach(gone),
        () => {},
      );
    }
    for (const [leader, flights] of leaders) {
      if (stalled || now() - (heard.get(leader) ?? 0) <= silenceMs) continue;
      heard.delete(leader);
      for (const [token] of flights) gone(token);
    }
    later();
  }

  function later(): void {
    clearTimeout(timer);
    timer = undefined;
    if (followed.size === 0) return;
    const due = now() + pingMs;
    timer = setTimeout(() => watch(due), pingMs);
  }

  function hear(each: Followed, message: Extract<Message, { token: string }>, pieces: Buffer[]): void {
    const { token } = message;
    if (message.type === 'begin') {
      each.recording ??= new Recording(held, anyBytes);
      const { type: _, token: __, ...head } = message;
      each.flight.begin({ ...head, recording: each.recording });
    } else if (message.type === 'land') {
      const length = each.recording?.length ?? 0;
      if (message.length > length) ask(token, each);
      else {
        for (const piece of pieces.slice(length)) each.recording?.append(piece);
        end(token, landingOf(message, each, pieces), message.ending);
      }
    } else if (message.type === 'pieces') {
      const { recording } = each;
      const length = recording?.length ?? 0;
      if (!recording || message.position > length) {
        // What is on its way still comes: one question is enough.
        if (each.askedFrom !== length) ask(token, each);
        return;
      }
      for (const piece of pieces.slice(length - message.position)) recording.append(piece);
      if (!recording.isHeld) leave(token);
    }
  }

  /** What was sent of each, as its maker says: where less has come, something was lost on the way. */
  function compare(leader: string, sent: Record<string, number>): void {
    for (const [token, each] of followed) {
      if (each.leader !== leader) continue;
      const count = sent[token];
      if (count === undefined || count > (each.recording?.length ?? 0)) ask(token, each);
    }
  }

  return {
    /** Begins to follow the call of this token. */
    join(plan: FlightPlan): Flight {
      const { token } = plan;
      const flight = new Flight(plan, () => leave(token));
      const each = { flight, leader: leaderOf(token), recording: null, askedFrom: 0 };
      followed.set(token, each);
      heard.set(each.leader, now());
      ask(token, each);
      if (!timer) later();
      return flight;
    },
    receive(from: string, message: Message, pieces: Buffer[]): void {
      heard.set(from, now());
      if (message.type === 'pong') compare(from, message.sent);
      if (!('token' in message)) return;
      const each = followed.get(message.token);
      if (each) hear(each, message, pieces);
    },
    stop(): void {
      clearTimeout(timer);
      for (const token of followed.keys()) gone(token);
    },
  };
}

function leaderOf(token: string): string {
  return token.split('.')[0] ?? '';
}

function landingOf(
  { landing }: Extract<Message, { type: 'land' }>,
  each: Followed,
  pieces: Buffer[],
): Landing {
  if (landing.kind !== 'answer') return landing;
  const all = landing.withPieces ? pieces : each.recording?.pieces();
  return all
    ? { kind: 'answer', answer: { ...landing.answer, pieces: all.map((piece) => Buffer.from(piece)) } }
    : { kind: 'unshared', facts: landing.answer };
}
