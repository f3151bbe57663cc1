import type { AddressInfo, Server } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CONFIG, type Config } from '@sandbox/config';

/** What the host name of a preview says. */
export interface PreviewName {
  readonly port: number;
  readonly token: string;
}

/**
 * The host names of previews: `{port}-{token}.{PREVIEW_DOMAIN}`. Each preview so is an origin of
 * its own for a browser.
 */
@Injectable()
export class PreviewHosts {
  private readonly any: RegExp;
  private readonly exact: RegExp;
  private readonly isLocal: boolean;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'PREVIEW_DOMAIN'>,
    private readonly adapterHost: HttpAdapterHost,
  ) {
    const domain = (config.PREVIEW_DOMAIN || 'localhost').replace(/:\d+$/, '');
    const below = `\\.${domain.replaceAll('.', '\\.')}`;
    this.any = new RegExp(`(?:^|\\.)\\d+-[^.]*${below}\\.?(?::|$)`, 'i');
    this.exact = new RegExp(`^(\\d{1,5})-([0-9a-f]{32})${below}(?::\\d{1,5})?$`, 'i');
    // A browser takes these names for its own machine, where nobody has a certificate for them.
    this.isLocal = /(?:^|\.)localhost$/.test(domain);
  }

  /** Whether a Host header has the form of a preview's. The API answers none of these. */
  owns(host: string | undefined): boolean {
    return host !== undefined && this.any.test(host);
  }

  /** @returns null if no preview can have the name */
  parse(host: string | undefined): PreviewName | null {
    const [, port, token] = this.exact.exec(host ?? '') ?? [];
    return port === undefined ? null : { port: Number(port), token: token!.toLowerCase() };
  }

  urlOf({ port, token }: PreviewName): string {
    return this.urlForm.replace('{port}', String(port)).replace('{token}', token);
  }

  /** The URL of a preview, with `{port}` and `{token}` in it. */
  get urlForm(): string {
    return `${this.isLocal ? 'http' : 'https'}://{port}-{token}.${this.domain}/`;
  }

  /** The domain of the names, with the port where browsers need it. */
  get domain(): string {
    return this.config.PREVIEW_DOMAIN || `localhost:${this.ownPort()}`;
  }

  private ownPort(): number {
    return ((this.adapterHost.httpAdapter.getHttpServer() as Server).address() as AddressInfo).port;
  }
}
