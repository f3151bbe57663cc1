import type { Type } from '@nestjs/common';
import type { CallToolResult, Tool as ToolDescriptor, ToolAnnotations } from '@modelcontextprotocol/sdk/types.js';
import type { User } from '@sandbox/sessions';
import type { Budget } from '../../rate-limit/budget';
import { validateDto } from '../../validation/validate-dto';
import { argumentsSchema, type JsonSchema, type ObjectSchema, resultSchema, withoutWords } from './dto-schema';
import { clientArguments } from './client-arguments';
import { toolError } from './tool-error';

/** The caller of a tool, and the ways to reach the client during the call. */
export interface ToolCaller {
  readonly user: User;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** What is left of the user's budget, once its request is counted. */
  readonly budget: () => Budget;
  /**
   * Tells the client what a command has written since the last time. Absent if the client did not
   * ask for progress.
   */
  readonly onOutput?: (text: string) => void;
}

/**
 * The words about an argument, for a model. Every conversation pays for each byte, so they do not
 * repeat the name or the tool's description. A text replaces the DTO's description; '' means none.
 * A schema adds what the configuration knows. Null leaves only the type, because another tool says
 * more.
 */
type Words = string | JsonSchema | null;

/** Defines a tool. Its DTO classes give the types, the validation and the schemas. */
export interface ToolDefinition<Args extends object, Result extends object> {
  readonly name: string;
  readonly title: string;
  /** Tells a model what the tool does, and its limits. */
  readonly description: string;
  /**
   * The differences from the defaults of the MCP specification (ToolAnnotations). By default, a
   * tool is destructive, and neither read-only nor idempotent.
   */
  readonly annotations: ToolAnnotations;
  /** As EntersSession says of a handler of REST. False if absent. */
  readonly entersSession?: boolean;
  readonly input: Type<Args>;
  readonly output: Type<Result>;
  /** Replaces what the DTO says of arguments. REST's document has room for longer descriptions. */
  readonly args?: { readonly [Name in keyof Args]?: Words };
  /** Arguments that are of no use in this deployment, so that no model need read of them. */
  readonly leaveOut?: readonly (keyof Args)[];
  callTool(args: Args, caller: ToolCaller): Promise<Result | Shown<Result>>;
  /** Shows the result in the form that a model reads best. JSON if absent. */
  text?(result: Result): string;
}

/** A result that a model sees by content blocks of its own, such as an image. */
export class Shown<Result extends object> {
  constructor(
    readonly result: Result,
    readonly content: CallToolResult['content'],
  ) {}
}

/** A tool as the MCP server calls it. */
export interface Tool {
  readonly descriptor: ToolDescriptor;
  /** Whether a call may begin before its request is counted (EntersSession). */
  readonly entersSession: boolean;
  /**
   * Calls the tool. Never rejects: a failure is a result with isError, so that the model sees it
   * and can do better.
   */
  call(args: unknown, caller: ToolCaller): Promise<CallToolResult>;
}

/** Builds a tool from its definition. */
export function defineTool<Args extends object, Result extends object>(definition: ToolDefinition<Args, Result>): Tool {
  const { name, title, description, annotations, output, entersSession = false } = definition;
  const schema = inputSchema(definition);
  return {
    descriptor: { name, title, description, inputSchema: schema, outputSchema: resultSchema(output), annotations },
    entersSession,
    async call(args, caller) {
      try {
        const result = await definition.callTool(validateDto(definition.input, clientArguments(schema, args)), caller);
        if (result instanceof Shown) return { content: result.content, structuredContent: result.result as Record<string, unknown> };
        const text = definition.text?.(result) ?? JSON.stringify(result);
        return { content: [{ type: 'text', text }], structuredContent: result as Record<string, unknown> };
      } catch (error) {
        return toolError(error, caller.requestId);
      }
    },
  };
}

function inputSchema<Args extends object>(definition: Pick<ToolDefinition<Args, object>, 'input' | 'args' | 'leaveOut'>): ObjectSchema {
  const { input, args = {}, leaveOut = [] } = definition;
  const schema = argumentsSchema(input);
  for (const name of leaveOut) delete schema.properties[name as string];
  for (const [name, words] of Object.entries<Words | undefined>(args)) {
    const property = schema.properties[name];
    if (property !== undefined && words !== undefined) schema.properties[name] = inWords(property, words);
  }
  return schema;
}

function inWords(property: JsonSchema, words: Words): JsonSchema {
  if (words === null) return { type: property.type };
  const told = typeof words === 'string' ? { ...(words !== '' && { description: words }) } : words;
  const { minLength, maxLength, ...rest } = withoutWords(property);
  // A list of values already tells how long they are.
  const lengths = 'enum' in told ? {} : { ...(minLength !== undefined && { minLength }), ...(maxLength !== undefined && { maxLength }) };
  return { ...rest, ...lengths, ...told };
}
