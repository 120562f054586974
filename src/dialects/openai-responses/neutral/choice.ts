import type { ChoiceForm } from '../../openai/neutral.ts';

export const choiceForm: ChoiceForm = {
  name: (tool) => tool.name,
  tool: (name) => ({ type: 'function', name }),
  allowed: (choice) => choice,
  allow: (allowed) => ({ type: 'allowed_tools', ...allowed }),
};
