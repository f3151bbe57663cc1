import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import type { IncomingMessage } from 'node:http';
import { ApiKeys } from './api-keys';
import { BearerTokens, hasFormOfJwt } from './bearer-tokens';
import type { Identity } from './identity';

/**
 * The user of a request, or that it has none. `presented` tells whether the request has a
 * credential at all.
 */
export type Authentication = Identity | { readonly user: null; readonly presented: boolean };

/** Finds the user of a request by its credential. */
@Injectable()
export class Authenticator {
  /** The value of WWW-Authenticate: one challenge for each header that takes a credential. */
  readonly challenges: readonly string[];
  private readonly keyHeader: string;
  private readonly keys: ApiKeys;
  private readonly tokens: BearerTokens;

  constructor(@Inject(CONFIG) config: Config) {
    this.keyHeader = config.API_KEY_HEADER.toLowerCase();
    this.keys = new ApiKeys(config.API_KEYS);
    this.tokens = new BearerTokens(config);
    this.challenges = [
      'Bearer realm="sandbox-api"',
      ...(config.API_KEYS.length > 0 ? [`ApiKey realm="sandbox-api", header="${config.API_KEY_HEADER}"`] : []),
    ];
  }

  /**
   * Finds the user by a key in the key header, else by a JWT or a key after `Bearer`. Many MCP
   * clients can only send the latter.
   *
   * A key in the key header decides: if it is wrong, a good credential beside it does not help. A
   * second value of either header is refused, because nobody knows which one a proxy has checked.
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
    if (key !== undefined) return this.identityOfKey(key);
    // The scheme may be in any case (RFC 9110, section 11.1). A key may have any character.
    const credential = /^Bearer +(.+)$/i.exec(authorizations[0] ?? '')?.[1];
    if (credential === undefined) return null;
    // The form alone decides, whether JWTs are on or off. So a key in the form of a JWT works only
    // in the key header.
    return hasFormOfJwt(credential) ? this.tokens.identityOf(credential) : this.identityOfKey(credential);
  }

  private identityOfKey(key: string): Identity | null {
    const user = this.keys.userOf(key);
    return user && { user, expiresAt: null };
  }
}
