import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { IncomingMessage } from 'node:http';
import { ApiKeys } from './api-keys';
import { BearerTokens } from './bearer-tokens';
import type { Identity } from './identity';

export type Authentication = Identity | { readonly user: null; readonly presented: boolean };

/** Finds out whose request it is. */
@Injectable()
export class Authenticator {
  /** What WWW-Authenticate says: one challenge for each method that is on. */
  readonly challenges: readonly string[];
  private readonly keyHeader: string;
  private readonly keys: ApiKeys;
  private readonly tokens: BearerTokens;

  constructor(@Inject(CONFIG) config: Config) {
    this.keyHeader = config.API_KEY_HEADER.toLowerCase();
    this.keys = new ApiKeys(config.API_KEYS);
    this.tokens = new BearerTokens(config);
    this.challenges = [
      ...(this.tokens.enabled ? ['Bearer realm="sandbox-api"'] : []),
      ...(config.API_KEYS.length > 0 ? [`ApiKey realm="sandbox-api", header="${config.API_KEY_HEADER}"`] : []),
    ];
  }

  /**
   * A key that is sent decides: where it is wrong, a good token beside it does not help. So does a second value of either header: which
   * one a proxy in front has looked at is not known.
   */
  async authenticate({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): Promise<Authentication> {
    const keys = headersDistinct[this.keyHeader] ?? [];
    const authorizations = headersDistinct.authorization ?? [];
    const presented = keys.length > 0 || authorizations.length > 0;
    return (await this.identityOf(keys, authorizations)) ?? { user: null, presented };
  }

  private async identityOf(keys: string[], authorizations: string[]): Promise<Identity | null> {
    if (keys.length > 1 || authorizations.length > 1) return null;
    const [key] = keys;
    if (key !== undefined) {
      const user = this.keys.userOf(key);
      return user && { user, expiresAt: null };
    }
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorizations[0] ?? '')?.[1];
    return token === undefined ? null : this.tokens.identityOf(token);
  }
}
