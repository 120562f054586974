#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { adminKey } from './roles/admin-key.ts';
import { verifyBudgets } from './roles/budgets.ts';
import { check } from './roles/check.ts';
import { close } from './roles/close.ts';
import { collector } from './roles/collector.ts';
import { showCoverage } from './roles/coverage.ts';
import { printEnvoy } from './roles/envoy.ts';
import { createKey, listKeys, revokeKey } from './roles/keys.ts';
import { migrateDatabase } from './roles/migrate.ts';
import { podInit } from './roles/pod-init.ts';
import { diffPolicy, getPolicy, setPolicy } from './roles/policy.ts';
import { processor } from './roles/processor.ts';
import { repriceRange } from './roles/reprice.ts';
import { run } from './roles/run.ts';
import { up } from './roles/up.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('weir')
  .description('Sees, caches, limits and accounts for LLM traffic through Envoy.')
  .version(version)
  .showSuggestionAfterError()
  .showHelpAfterError('(weir --help tells more)');

function command(
  name: string,
  description: string,
  role: Parameters<typeof run>[0],
  parent: Command = program,
): Command {
  return parent
    .command(name)
    .description(description)
    .option('--config <file>', 'weir.yaml to use (else WEIR_CONFIG, else ./weir.yaml, else the defaults)')
    .option('--data <dir>', 'directory of all state (else WEIR_DATA, else ./.weir)')
    .allowExcessArguments(false)
    .action((...all) => {
      const made: Command = all.at(-1);
      const named = made.registeredArguments.map((argument, index) => [argument.name(), made.args[index]]);
      return run(role, { ...made.opts(), ...Object.fromEntries(named) });
    });
}

/** A command that speaks to the API. */
function apiCommand(parent: Command, name: string, description: string, role: Parameters<typeof run>[0]) {
  return command(name, description, role, parent)
    .option('--api <url>', 'where the API is (else the one that runs on the data directory, else listen.api)')
    .option('--key <key>', 'key of the API (else WEIR_API_KEY, else the admin key of the data directory)');
}

command('up', 'everything on this machine: Envoy, PostgreSQL, processors, collector and API', up);
command('processor', 'the external processor that Envoy asks about each call', processor).option(
  '--index <n>',
  'number of this processor among those of one machine',
  '0',
);
command('collector', 'takes usage records in, writes them to PostgreSQL, serves the API', collector);
command('injector', 'puts sidecars into pods, and tells them their configuration', async (context) =>
  // With what makes certificates: only this command needs it.
  (await import('./roles/injector.ts')).injector(context),
);
command('pod-init', 'prepares a pod for its sidecar; the injector puts it there', podInit).requiredOption(
  '--settings <json>',
  'what the injector says of the pod',
);
command('migrate', 'brings the database to the schema of this release', migrateDatabase);
command('reprice', 'prices past calls anew, by the prices that are known and configured now', repriceRange)
  .requiredOption('--from <date>', 'first day, in UTC')
  .requiredOption('--to <date>', 'day after the last')
  .option('--dry-run', 'count what would change');
const budgets = program.command('budgets').description('budgets and what they have counted');
command(
  'verify',
  'compares what budgets have counted with the ledger, to the cent',
  verifyBudgets,
  budgets,
).option('--wait <seconds>', 'how long what processors count and what the ledger has may lag', '15');
command(
  'close',
  'closes a period: its sums stand, what changes them later is booked later',
  close,
).requiredOption('--until <date>', 'day after the last, in UTC');
command('check', 'validates the config and says what can be reached', check);
command('envoy', 'prints the bootstrap and the xDS resources for this config', printEnvoy);

command('doctor', 'what is wrong with an install in Kubernetes, in words', async (context) =>
  (await import('./roles/doctor.ts')).doctor(context),
).option('--pre', 'what would be wrong: before the install');
command('admin-key', 'makes an admin key in the database and prints it, once', adminKey);
apiCommand(program, 'coverage', 'what sidecars see of LLM traffic, and what they do not', showCoverage)
  .option('--days <n>', 'how far back', '30')
  .option('--json', 'prints what the API answers');

const keys = program.command('keys').description('keys that make calls, and keys that ask the API');
apiCommand(keys, 'create', 'makes a key and prints it, once', createKey)
  .requiredOption('--name <name>', 'what people call it')
  .option('--scope <scope>', 'call: makes calls; api: asks the API', 'call')
  .option('--role <role>', 'of a key of scope api: viewer, member or admin')
  .option('--user <id>', 'whose it is to be')
  .option('--tags <tags>', 'on each of its calls: team=search,env=prod')
  .option('--fixed-tags', 'x-weir-tags adds none to them')
  .option('--models <globs>', 'only these models: gpt-4o*,claude-*')
  .option('--providers <globs>', 'only these providers: openai,groq')
  .option('--expires <when>', 'after a time such as 90d, or at an instant')
  .option('--json', 'prints what the API answers');
apiCommand(keys, 'list', 'lists the keys of the organization, the newest first', listKeys)
  .option('--revoked', 'revoked ones as well')
  .option('--json', 'prints what the API answers');
apiCommand(keys, 'revoke <id>', 'revokes a key, everywhere within two seconds', revokeKey);

const policy = program.command('policy').description('what the organization has decided');
apiCommand(policy, 'get', 'prints the policy in force, in YAML', getPolicy)
  .option('--resolved', 'with all that it leaves open as the defaults have it')
  .option('--at <version>', 'another version')
  .option('--json', 'prints JSON');
apiCommand(policy, 'set [file]', 'puts a policy in force: YAML or JSON, from a file or stdin', setPolicy)
  .option('--expect <version>', 'only if this version is in force still')
  .option('--dry-run', 'says whether it can work, and changes nothing');
apiCommand(policy, 'diff [file]', 'shows what set would change', diffPolicy);

await program.parseAsync();
