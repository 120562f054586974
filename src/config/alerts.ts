import { z } from 'zod';

/** How alerts leave the house. */
export const alertsConfig = z.strictObject({
  smtp: z
    .strictObject({
      url: z
        .string()
        .regex(/^smtps?:\/\/./, 'a URL such as smtp://user:password@mail.example.com:587')
        .describe('`smtp://` or `smtps://`, with user and password where the server wants them.'),
      from: z.string().min(3).describe('The sender: `weir <weir@example.com>`.'),
    })
    .optional()
    .describe('The mail server for alerts by email; without one there are none.'),
  api_url: z
    .url({ protocol: /^https?$/, error: 'a URL such as https://weir.example.com' })
    .optional()
    .describe('Where people reach the API: messages link to it.'),
  allow_private: z
    .boolean()
    .default(false)
    .describe('Whether webhooks may be at private addresses, such as those of this network.'),
});

export type AlertsConfig = z.output<typeof alertsConfig>;
