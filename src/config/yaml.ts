import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './errors.ts';
import type { Path } from './introspect.ts';

export interface YamlFile {
  document: Record<string, unknown>;
  /** The line of a value, or of the nearest thing around it; from 1. */
  lineOf(path: Path): number | undefined;
}

/** Reads a file of keys and values. Throws ConfigError; `source` is what its errors call the file. */
export function readYaml(file: string, source: string): YamlFile {
  return parseYaml(readText(file, source), source);
}

export function parseYaml(text: string, source: string): YamlFile {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (yaml.errors.length > 0) {
    throw new ConfigError(
      yaml.errors.map(({ message, pos }) => {
        const { line, col } = lines.linePos(pos[0]);
        return { source, line, column: col, path: '', message };
      }),
    );
  }
  const document = toJs(() => yaml.toJS() ?? {}, source);
  if (!isRecord(document)) {
    const message = 'expected keys and values, such as `listen:`';
    throw new ConfigError([{ source, line: 1, path: '', message }]);
  }
  return {
    document,
    lineOf(path) {
      for (let end = path.length; end > 0; end--) {
        const parent = end > 1 ? yaml.getIn(path.slice(0, end - 1), true) : yaml.contents;
        const last = path[end - 1];
        const pair = isMap(parent)
          ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last))
          : undefined;
        const node = pair?.key ?? yaml.getIn(path.slice(0, end), true);
        if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
          return lines.linePos(Number(node.range[0])).line;
        }
      }
      return undefined;
    },
  };
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory, not a file',
  EACCES: 'it may not be read',
};

/** Throws ConfigError. */
export function readText(file: string, source: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ConfigError([{ source, path: '', message: reasons[code] ?? code }]);
  }
}

/** An alias without its anchor, and aliases that multiply, are found only here. */
function toJs(convert: () => unknown, source: string): unknown {
  try {
    return convert();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ source, path: '', message }]);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
