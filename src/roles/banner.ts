import { formatAddress } from '../config/address.ts';
import type { Address, Config } from '../config/schema.ts';
import type { FirstKeys } from '../identity/store.ts';

/** What one needs to know to begin, and lines to paste. */
export function printBanner({
  listen,
  keys,
  config,
}: {
  listen: Config['listen'];
  keys: FirstKeys;
  config: Config;
}): void {
  const egress = url(listen.egress);
  const withKey = Object.entries(config.providers).filter(([, { api_key }]) => api_key !== '');
  const lines = [
    '',
    'weir is up.',
    '',
    `egress:     ${egress}`,
    `api:        ${url(listen.api)}`,
    `call key:   ${keys.call}`,
    `admin key:  ${keys.admin}`,
    '',
    'Point an application at it (a key of its own works as well as the call key):',
    '',
    `  export OPENAI_BASE_URL=${egress}/v1 OPENAI_API_KEY=${keys.call}`,
    `  export ANTHROPIC_BASE_URL=${egress} ANTHROPIC_API_KEY=${keys.call}`,
    `  export GOOGLE_GEMINI_BASE_URL=${egress} GEMINI_API_KEY=${keys.call}`,
    '',
    'and see what it cost:',
    '',
    `  curl -H "Authorization: Bearer ${keys.admin}" "${url(listen.api)}/analytics/breakdown?group_by=model"`,
    '',
    withKey.length > 0
      ? `The call key works for ${withKey.map(([name]) => name).join(', ')}: weir has their keys.`
      : 'No provider key is set (OPENAI_API_KEY, …): the call key works once there is one, own keys work now.',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function url(address: Address): string {
  return `http://${formatAddress(address)}`;
}
