import type { Logger } from 'pino';
import type { Frame } from './frame.ts';
import { adoptDead, readSegment, removeJournal, segmentsLeft } from './recover.ts';

/**
 * Takes over what dead processes left under `root`: their finished lines as they are, their open ones as
 * `interrupted` says. A segment at a time: what was left may be larger than memory. Resolves to false when it
 * had to stop before its end; what is left then is found again by whoever recovers this process.
 */
export async function adoptLeft(options: {
  root: string;
  /** The journal of this process. */
  own: string;
  log: Logger;
  interrupted(open: Buffer): Buffer;
  append(frame: Frame): Promise<void>;
  /** Resolves when there is room for a segment; to false when there is none and this process ends. */
  room(): Promise<boolean>;
}): Promise<boolean> {
  const { root, own, log, append, room } = options;
  for (const directory of adoptDead(root, own, log)) {
    const open = new Map<string, Buffer>();
    const closed = new Set<string>();
    for (const file of segmentsLeft(directory)) {
      if (!(await room())) return false;
      const frames = await readSegment(file, log);
      for (const { kind, spanId, payload } of frames) {
        if (kind === 'open' && !closed.has(spanId)) open.set(spanId, Buffer.from(payload));
        if (kind === 'close') {
          open.delete(spanId);
          closed.add(spanId);
        }
      }
      await Promise.all(frames.filter(({ kind }) => kind === 'close').map(append));
    }
    let interrupted = 0;
    for (const [spanId, payload] of open) {
      if (!(await room())) return false;
      try {
        await append({ kind: 'close', spanId, payload: options.interrupted(payload) });
        interrupted++;
      } catch (error) {
        log.error({ err: error, spanId }, 'an open line cannot be read: its call is lost');
      }
    }
    removeJournal(directory);
    log.info({ finished: closed.size, interrupted }, 'took over a journal');
  }
  return true;
}
