import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/**
 * When a process was started, as the system writes it: together with the pid it names one process for
 * good. null: there is no such process (or it is a zombie).
 */
export function processStart(pid: number): string | null {
  if (existsSync('/proc/self/stat')) {
    try {
      // The second field, the name, may hold spaces and brackets: count from its closing one.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return state === 'Z' || state === 'X' ? null : (rest[18] ?? null);
    } catch {
      return null;
    }
  }
  try {
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 }).trim() ||
      null
    );
  } catch {
    return null;
  }
}
