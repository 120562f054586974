import type { Arrival } from './arrival.ts';
import type { HeaderEdit, RequestHead } from './messages.ts';
import type { Services } from './services.ts';

/** The head of a call with the signature of its provider's cloud, where that wants one. */
export async function signedEdit(
  { arrival, head, body }: { arrival: Arrival; head: RequestHead; body: Uint8Array },
  { sign }: Pick<Services, 'sign'>,
): Promise<HeaderEdit> {
  const { edit, putsKeyIn, provider, target } = arrival;
  if (provider.auth !== 'aws' || !putsKeyIn) return edit;
  const signature = await sign(target.provider, { method: head.method, path: target.path, body });
  const set = { ...edit.set, ...signature };
  return { set, remove: edit.remove.filter((name) => !(name in set)) };
}
