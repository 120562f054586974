/**
 * Where each dialect of chat lies, with the model in the path for Google; what is asked for there is what
 * `endpoint` asks for, else a plain answer.
 */
export const chatEndpoints: Record<string, (model: string, endpoint?: string) => string> = {
  'openai-chat': () => '/chat/completions',
  'openai-responses': () => '/responses',
  'anthropic-messages': () => '/messages',
  'gemini-generate': (model, endpoint = '') =>
    `/models/${encodeURIComponent(model)}${/:[^/:]*$/.exec(endpoint)?.[0] ?? ':generateContent'}`,
};
