import { CannotGather, once, same } from '../gather.ts';
import { asObject, asString, type JsonObject } from '../json.ts';

/** What a stream of version 2 has said so far. */
interface Whole {
  id: unknown;
  role: unknown;
  content: JsonObject[];
  plan: string[];
  calls: JsonObject[];
  citations: unknown[];
  logprobs: unknown[];
  end: JsonObject | null;
}

/** The answer of the events of a stream. Throws CannotGather. */
export function answerOf(events: JsonObject[]): JsonObject {
  const whole: Whole = {
    id: null,
    role: 'assistant',
    content: [],
    plan: [],
    calls: [],
    citations: [],
    logprobs: [],
    end: null,
  };
  for (const event of events) add(whole, event);
  const { id, role, content, plan, calls, citations, logprobs, end } = whole;
  if (!end) throw new CannotGather('it has no end');
  return {
    id,
    message: {
      role,
      ...(plan.length > 0 && { tool_plan: plan.join('') }),
      ...(calls.length > 0 && { tool_calls: calls }),
      ...(content.length > 0 && { content }),
      ...(citations.length > 0 && { citations }),
    },
    ...end,
    ...(logprobs.length > 0 && { logprobs }),
  };
}

function add(whole: Whole, event: JsonObject): void {
  const delta = asObject(event.delta);
  const message = asObject(delta?.message);
  const content = asObject(message?.content);
  const call = asObject(message?.tool_calls);
  switch (event.type) {
    case 'message-start':
      whole.id = event.id;
      whole.role = message?.role ?? whole.role;
      return;
    case 'content-start':
      place(whole.content, event, content);
      return;
    case 'content-delta':
      extend(whole.content, event, content, ['text', 'thinking']);
      if (event.logprobs !== undefined) whole.logprobs.push(event.logprobs);
      return;
    case 'tool-plan-delta':
      whole.plan.push(asString(message?.tool_plan) ?? '');
      return;
    case 'tool-call-start':
      place(whole.calls, event, call);
      return;
    case 'tool-call-delta': {
      const open = at(whole.calls, event);
      const said = asObject(call?.function);
      const called = [asObject(open.function) ?? {}];
      extend(called, { index: 0 }, said, ['arguments']);
      whole.calls[indexOf(event, whole.calls)] = { ...open, function: called[0] };
      return;
    }
    case 'citation-start':
      whole.citations.push(message?.citations);
      return;
    case 'message-end':
      whole.end = delta;
      return;
    case 'content-end':
    case 'tool-call-end':
    case 'citation-end':
      return;
    default:
      throw new CannotGather('its meaning is not known');
  }
}

/** Some events have no index: they are of what was begun last. */
function indexOf({ index }: JsonObject, list: JsonObject[]): number {
  return typeof index === 'number' ? index : list.length - 1;
}

function at(list: JsonObject[], event: JsonObject): JsonObject {
  const found = list[indexOf(event, list)];
  if (!found) throw new CannotGather('it was not begun');
  return found;
}

function place(list: JsonObject[], { index }: JsonObject, begun: JsonObject | null): void {
  if (!begun || (typeof index === 'number' && index !== list.length))
    throw new CannotGather('it is out of its place');
  list.push(begun);
}

/** The texts go on; all else is told once. */
function extend(list: JsonObject[], event: JsonObject, said: JsonObject | null, texts: string[]): void {
  const open = at(list, event);
  const more = Object.entries(said ?? {}).map(([name, value]) => {
    const before = open[name];
    if (!texts.includes(name)) return [name, (name === 'type' ? same : once)([before ?? null, value])];
    return [name, `${asString(before) ?? ''}${asString(value) ?? ''}`];
  });
  list[indexOf(event, list)] = { ...open, ...Object.fromEntries(more) };
}
