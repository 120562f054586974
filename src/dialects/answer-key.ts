/** Headers by which the same body asks for another answer, each with the reason. All others do not count. */
export const answerHeaders: ReadonlyMap<string, string> = new Map([
  ['openai-beta', 'turns features of the API on'],
  ['openai-organization', 'what models and files there are'],
  ['openai-project', 'what models and files there are'],
  ['anthropic-beta', 'turns features of the API on'],
  ['anthropic-version', 'the version of the API'],
  ['anthropic-workspace-id', 'what files there are'],
  ['anthropic-user-profile-id', 'on whose behalf the answer is made'],
  ['x-goog-user-project', 'the project whose models are asked'],
  ['azureml-model-deployment', 'the deployment that answers (Azure)'],
  ['extra-parameters', 'what becomes of members that a model does not know (Azure)'],
  ['groq-model-version', 'the version of a system of models (Groq)'],
  ['cohere-version', 'the version of the API'],
]);

/** Parts of a query that tell the form of the answer, or who asks: not what. */
const uncountedQuery = /^(alt|key)=/;

/**
 * A path and query at the provider without what only tells in which form the answer comes: Google streams
 * under another method, and tells its two forms of streams apart by `alt`.
 */
export function answerPath(path: string): string {
  const [endpoint = '', query = ''] = path.split(/\?(.*)/s);
  const counted = query.split('&').filter((part) => part !== '' && !uncountedQuery.test(part));
  const method = endpoint.replace(/:streamGenerateContent$/, ':generateContent');
  return counted.length === 0 ? method : `${method}?${counted.join('&')}`;
}
