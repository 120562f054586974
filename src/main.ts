#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { check } from './roles/check.ts';
import { collector } from './roles/collector.ts';
import { printEnvoy } from './roles/envoy.ts';
import { migrateDatabase } from './roles/migrate.ts';
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

function command(name: string, description: string, role: Parameters<typeof run>[0]): Command {
  return program
    .command(name)
    .description(description)
    .option('--config <file>', 'weir.yaml to use (else WEIR_CONFIG, else ./weir.yaml, else the defaults)')
    .option('--data <dir>', 'directory of all state (else WEIR_DATA, else ./.weir)')
    .allowExcessArguments(false)
    .action((options) => run(role, options));
}

command('up', 'everything on this machine: Envoy, PostgreSQL, processors, collector and API', up);
command('processor', 'the external processor that Envoy asks about each call', processor).option(
  '--index <n>',
  'number of this processor among those of one machine',
  '0',
);
command('collector', 'takes usage records in, writes them to PostgreSQL, serves the API', collector);
command('migrate', 'brings the database to the schema of this release', migrateDatabase);
command('reprice', 'prices past calls anew, by the prices that are known and configured now', repriceRange)
  .requiredOption('--from <date>', 'first day, in UTC')
  .requiredOption('--to <date>', 'day after the last')
  .option('--dry-run', 'count what would change');
command('check', 'validates the config and says what can be reached', check);
command('envoy', 'prints the bootstrap and the xDS resources for this config', printEnvoy);

await program.parseAsync();
