import { Injectable } from '@nestjs/common';
import { ErrorCode as RpcErrorCode, McpError, type ReadResourceResult, type Resource } from '@modelcontextprotocol/sdk/types.js';
import type { User } from '@sandbox/sessions';
import { firstCharacters } from '@sandbox/text';
import { CapabilitiesDocument } from '../capabilities/capabilities-document';
import { logFailure } from '../problems/log-failure';
import { toSandboxError } from '../problems/problem';
import type { Budget } from '../rate-limit/budget';

const URI = 'sandbox://capabilities';
const JSON_TYPE = 'application/json';
/** The code of the MCP specification for a resource that is not there. */
const RESOURCE_NOT_FOUND = -32002;

/** The one resource of the MCP server: what GET /capabilities answers. */
export const CAPABILITIES_RESOURCE: Resource = {
  uri: URI,
  name: 'capabilities',
  title: 'Capabilities',
  description: 'Limits, images and their programs, command policy, network rules, and what is left of your quotas',
  mimeType: JSON_TYPE,
};

/** Reads the server's resource. */
@Injectable()
export class CapabilitiesResource {
  constructor(private readonly document: CapabilitiesDocument) {}

  /**
   * @param uri as the client gives it
   * @throws McpError if there is no such resource, or it cannot be read now
   */
  async readResource(uri: unknown, user: User, budget: Budget, requestId: string): Promise<ReadResourceResult> {
    if (typeof uri !== 'string') throw new McpError(RpcErrorCode.InvalidParams, 'uri has to be a string');
    if (uri !== URI) throw new McpError(RESOURCE_NOT_FOUND, `There is no resource ${firstCharacters(uri, 100)}; there is ${URI}`);
    try {
      const text = JSON.stringify(await this.document.describeFor(user, budget));
      return { contents: [{ uri, mimeType: JSON_TYPE, text }] };
    } catch (exception) {
      const error = toSandboxError(exception);
      logFailure(error, requestId);
      throw new McpError(RpcErrorCode.InternalError, `${error.code}: ${error.message}`);
    }
  }
}
