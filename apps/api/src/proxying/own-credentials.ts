import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { ApiKeys } from '../auth/api-keys';
import { Authenticator } from '../auth/authenticator';
import { SessionTokens } from '../auth/session-tokens';

/** E2B's SDKs send the token of a sandbox in it. */
const TOKEN_HEADER = 'x-access-token';

/** Keeps credentials for this API from the programs in sandboxes. */
@Injectable()
export class OwnCredentials {
  private readonly keyHeader: string;
  private readonly metricsTokens: ApiKeys;

  constructor(
    @Inject(CONFIG) { API_KEY_HEADER, METRICS_TOKEN }: Pick<Config, 'API_KEY_HEADER' | 'METRICS_TOKEN'>,
    private readonly authenticator: Authenticator,
    private readonly sessionTokens: SessionTokens,
  ) {
    this.keyHeader = API_KEY_HEADER.toLowerCase();
    this.metricsTokens = new ApiKeys(METRICS_TOKEN === '' ? [] : [METRICS_TOKEN]);
  }

  /**
   * @returns the names of the headers, in lower case, that a program must not get: that of API
   *   keys, and `authorization` and `x-access-token` if they hold a credential for this API and not
   *   one for the program
   */
  async headersOf({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): Promise<string[]> {
    const names = [this.keyHeader];
    for (const authorization of headersDistinct.authorization ?? []) if (await this.isOwn(authorization)) names.push('authorization');
    const tokens = headersDistinct[TOKEN_HEADER] ?? [];
    if (tokens.some((token) => this.sessionTokens.readToken(token) !== null)) names.push(TOKEN_HEADER);
    return names;
  }

  private async isOwn(authorization: string): Promise<boolean> {
    const { user } = await this.authenticator.authenticate({ headersDistinct: { authorization: [authorization] } });
    return user !== null || this.metricsTokens.userOf(bearerOf(authorization) ?? '') !== null;
  }
}

/** Returns what stands behind `Bearer`, in any case (RFC 9110, section 11.1). */
export function bearerOf(authorization: string): string | undefined {
  return /^Bearer +(.+)$/i.exec(authorization)?.[1];
}
