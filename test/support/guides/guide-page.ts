import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const GUIDES = resolve(__dirname, '../../../docs/guides');

/** What a page tells its reader to type, and what the terminal then shows. */
export interface Step {
  readonly commands: string;
  /** Absent if the page does not say. `…` stands for any text. */
  readonly shown?: string;
}

/** A page of docs/guides as its reader follows it. */
export interface GuidePage {
  /** What the reader puts into files, by name. */
  readonly files: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
  /** The texts of its JSON blocks. */
  readonly json: readonly string[];
}

/**
 * Reads a page. A block of JavaScript is the file that the paragraph before it names. A block of
 * `text` is what the block of commands before it shows.
 * @throws Error if a block is none of these, so that no block is left without a test
 */
export function readGuide(name: string): GuidePage {
  const text = readFileSync(join(GUIDES, `${name}.md`), 'utf8');
  const files = new Map<string, string>();
  const steps: Step[] = [];
  const json: string[] = [];
  for (const [, before, kind, content] of text.matchAll(/((?:.+\n)*)\n?```(\w*)\n([^]*?)```\n/g)) {
    if (kind === 'bash') steps.push({ commands: content! });
    else if (kind === 'json') json.push(content!);
    else if (kind === 'text' && steps.length > 0) steps.push({ ...steps.pop()!, shown: content! });
    else {
      const file = kind === 'js' ? /`([\w-]+\.mjs)`/.exec(before!)?.[1] : undefined;
      if (file === undefined) throw new Error(`${name}.md has a block whose use is unknown: ${content}`);
      files.set(file, content!);
    }
  }
  return { files, steps, json };
}

/** @returns whether a text is what the page shows */
export function matches(shown: string, text: string): boolean {
  const pieces = shown.trim().split('…');
  const pattern = pieces.map((piece) => piece.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^]*?');
  return new RegExp(`^${pattern}$`).test(text.trim());
}
