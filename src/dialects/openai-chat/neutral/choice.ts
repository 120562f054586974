import { asObject } from '../../json.ts';
import type { ChoiceForm } from '../../openai/neutral.ts';

export const choiceForm: ChoiceForm = {
  name: (tool) => asObject(tool.function)?.name,
  tool: (name) => ({ type: 'function', function: { name } }),
  allowed: (choice) => asObject(choice.allowed_tools),
  allow: (allowed) => ({ type: 'allowed_tools', allowed_tools: allowed }),
};
