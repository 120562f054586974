import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isUnavailable } from '../db/pool.ts';
import { plainPath } from '../dialects/target.ts';

/** An error that the caller can do something about (RFC 9457). */
export class Problem extends Error {
  readonly status: number;
  /** Stable: programs hold on to it. */
  readonly code: string;
  readonly headers: Record<string, string>;
  /** What this kind of problem tells besides. */
  readonly members: Record<string, unknown>;

  constructor(
    status: number,
    code: string,
    detail: string,
    headers: Record<string, string> = {},
    members: Record<string, unknown> = {},
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.members = members;
  }
}

const titles: Record<number, string> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Conflict',
  413: 'Too large',
  415: 'Media type not supported',
  422: 'Cannot work',
  429: 'Too many',
  503: 'Not available',
};

const codes: Record<number, string> = { 413: 'body_too_large', 415: 'unsupported_media_type' };

/** Every error of the API is a problem document. */
export function answerProblems(api: FastifyInstance): void {
  api.setNotFoundHandler((request, reply) => {
    send(
      reply,
      new Problem(
        404,
        'not_found',
        `there is no ${request.method} ${plainPath(request.url)}; see /openapi.json`,
      ),
    );
  });
  api.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500 && problem.status !== 503) request.log.error({ err: error }, 'the API failed');
    send(reply, problem);
  });
}

/** Answers what never came to a route: a URL that cannot be read. */
export function answerProblem(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  send(reply, toProblem(error));
}

/** What zod says of the name of a member lies one level below. */
const keyFault = z.object({ issues: z.array(z.object({ message: z.string() })) });

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const detail = error.validation
      .map(({ instancePath, message, params }) => {
        const path = instancePath.replace(/^\//, '').replaceAll('/', '.');
        return [path, keyFault.safeParse(params).data?.issues[0]?.message ?? message]
          .filter((part) => part !== '')
          .join(': ');
      })
      .join('; ');
    return new Problem(400, 'invalid_parameter', detail);
  }
  if (isUnavailable(error)) {
    return new Problem(503, 'database_unavailable', 'PostgreSQL does not answer; try again', {
      'retry-after': '2',
    });
  }
  // SQLSTATE class 22: text with NUL, half a surrogate pair, a number that is no number.
  if (/^22...$/.test(error.code))
    return new Problem(400, 'invalid_parameter', 'a value holds what cannot be kept or read');
  const { statusCode } = error;
  if (statusCode !== undefined && statusCode < 500)
    return new Problem(statusCode, codes[statusCode] ?? 'bad_request', error.message);
  return new Problem(500, 'internal_error', 'weir failed here; its log tells more');
}

function send(reply: FastifyReply, { status, code, message, headers, members }: Problem): void {
  const title = titles[status] ?? 'Error';
  reply
    .status(status)
    .headers(headers)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title, status, code, detail: message, ...members }));
}
