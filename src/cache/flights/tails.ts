import type { Recording } from '../recording.ts';
import type { Flight, Landing } from './flight.ts';
import type { Mail, Message } from './mail.ts';

/** A flight of this process that is told to another. */
interface Tail {
  stop: AbortController;
  /** Pieces that were sent. */
  sent: number;
}

/** Tells other processes of the calls that this one makes, as they go on. */
export function createTails(mail: Mail, find: (token: string) => Flight | undefined) {
  const tails = new Map<string, Tail>();
  const nameOf = (to: string, token: string) => `${to} ${token}`;

  async function tell(to: string, flight: Flight, tail: Tail): Promise<void> {
    const { token } = flight.plan;
    const { signal } = tail.stop;
    const beginning = await flight.begun;
    // What is let go by now comes with the landing.
    if (beginning?.recording.isHeld && !signal.aborted) {
      const { recording, ...head } = beginning;
      await mail.send(to, { type: 'begin', token, ...head });
      for await (const pieces of recording.read(tail.sent, signal)) {
        const position = tail.sent;
        tail.sent += pieces.length;
        await mail.send(to, { type: 'pieces', token, position }, pieces);
      }
    }
    // What is not held any more cannot be told further.
    const isLost = beginning !== null && !beginning.recording.isHeld && !flight.landing;
    const landing: Landing = isLost ? { kind: 'gone' } : await flight.landed;
    if (signal.aborted) return;
    const recording = beginning?.recording ?? null;
    const isSent = recording?.isHeld === true && tail.sent === recording.length;
    const [message, pieces] = landMessage(token, landing, recording, isSent);
    await mail.send(to, message, pieces);
  }

  return {
    /** Another process wants to be told, from this piece on. */
    join(to: string, token: string, position: number): void {
      const name = nameOf(to, token);
      tails.get(name)?.stop.abort();
      const flight = find(token);
      if (!flight || (!flight.isOpen && !flight.landing)) {
        const [gone] = landMessage(token, { kind: 'gone' }, null, false);
        mail.send(to, gone).catch(() => {});
        return;
      }
      const tail = { stop: new AbortController(), sent: position };
      tails.set(name, tail);
      flight.join();
      tell(to, flight, tail)
        // Redis is away: who follows there hears nothing more, and moves on.
        .catch(() => {})
        .finally(() => {
          if (tails.get(name) === tail) tails.delete(name);
          flight.leave();
        });
    },
    leave(to: string, token: string): void {
      tails.get(nameOf(to, token))?.stop.abort();
      tails.delete(nameOf(to, token));
    },
    /** Those of these flights that it is told of, and how much was sent of each. */
    sent(to: string, tokens: readonly string[]): Record<string, number> {
      const known = tokens.flatMap((token) => {
        const tail = tails.get(nameOf(to, token));
        return tail ? [[token, tail.sent] as const] : [];
      });
      return Object.fromEntries(known);
    },
  };
}

function landMessage(
  token: string,
  landing: Landing,
  recording: Recording | null,
  isSent: boolean,
): [Message, Buffer[]] {
  // Whoever has less than all of it sees it break.
  const isWhole = isSent || landing.kind === 'answer';
  const ending = isWhole ? (recording?.ending ?? 'whole') : 'broken';
  const head = { type: 'land' as const, token, ending, length: isSent ? (recording?.length ?? 0) : 0 };
  if (landing.kind !== 'answer') return [{ ...head, landing }, []];
  const { pieces, ...answer } = landing.answer;
  return [{ ...head, landing: { kind: 'answer', answer, withPieces: !isSent } }, isSent ? [] : pieces];
}
