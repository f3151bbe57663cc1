import { Environment, Flag, OneOf, Text, Whole } from '../../validation/fields';
import { Metadata } from '../../sessions/metadata';
import { Part, Texts } from '../protocol/parts';

/** A year, in seconds. The operator's limit on sessions is the one that counts. */
const MAX_TIMEOUT_SECONDS = 31_536_000;
const MAX_RULES = 256;
const MAX_RULE_CHARACTERS = 300;

/** The last time that ISO 8601 writes with four digits of the year, in seconds. */
const MAX_TIME = 253_402_300_799;

const TIMEOUT = { min: 0, max: MAX_TIMEOUT_SECONDS } as const;

export class SandboxIdDto {
  @Text({ min: 1, max: 256 })
  sandboxID: string;
}

/** The body of `POST /sandboxes`. The names are E2B's. */
export class NewSandboxDto {
  @Text({ min: 1, max: 256, nul: false })
  templateID: string;

  @Whole({ ...TIMEOUT, optional: true })
  timeout?: number;

  @Metadata({ optional: true })
  metadata?: Record<string, string>;

  @Environment({ optional: true })
  envVars?: Record<string, string>;

  @Flag({ optional: true })
  allow_internet_access?: boolean;

  /** NetworkDto checks it. */
  @Part()
  network?: unknown;

  /** Every sandbox is: its calls need a token. */
  @Flag({ optional: true })
  secure?: boolean;

  @Flag({ optional: true })
  autoPause?: boolean;

  @Part()
  autoPauseMemory?: unknown;

  @Part()
  autoResume?: unknown;

  @Part()
  mcp?: unknown;

  @Part()
  iam?: unknown;

  @Part()
  volumeMounts?: unknown;
}

/** What a sandbox may reach. */
export class NetworkDto {
  @Texts({ optional: true, maxItems: MAX_RULES, max: MAX_RULE_CHARACTERS })
  allowOut?: string[];

  @Texts({ optional: true, maxItems: MAX_RULES, max: MAX_RULE_CHARACTERS })
  denyOut?: string[];

  @Flag({ optional: true })
  allowPublicTraffic?: boolean;

  @Part()
  rules?: unknown;

  @Part()
  egressProxy?: unknown;

  @Part()
  maskRequestHost?: unknown;

  @Part()
  httpsPorts?: unknown;
}

/** The body of `PUT /sandboxes/{id}/network`. */
export class NetworkUpdateDto extends NetworkDto {
  @Flag({ optional: true })
  allow_internet_access?: boolean;
}

/** The body of `POST /sandboxes/{id}/timeout`. */
export class TimeoutDto {
  @Whole(TIMEOUT)
  timeout: number;
}

/** The body of `POST /sandboxes/{id}/connect`. */
export class ConnectDto {
  @Whole({ ...TIMEOUT, optional: true })
  timeout?: number;

  /** How a paused sandbox would come back. None is ever paused. */
  @Flag({ optional: true })
  memory?: boolean;

  @Flag({ optional: true })
  autoPause?: boolean;
}

/** The query of `GET /sandboxes/{id}/metrics`, in seconds since the epoch. */
export class MetricsQuery {
  @Whole({ optional: true, min: 0, max: MAX_TIME })
  start?: number;

  @Whole({ optional: true, min: 0, max: MAX_TIME })
  end?: number;
}

/** The query of `GET /v2/sandboxes`. */
export class ListSandboxesQuery {
  /** A query string of its own, whose names and values are percent-encoded once more. */
  @Text({ optional: true, max: 16_384 })
  metadata?: string;

  /** States with commas between. */
  @Text({ optional: true, max: 64 })
  state?: string;

  @Text({ optional: true, max: 64 })
  startedAfter?: string;

  @Text({ optional: true, max: 256 })
  template?: string;

  @OneOf({ optional: true, values: ['asc', 'desc'] })
  order?: 'asc' | 'desc';

  @Whole({ optional: true, min: 1, max: 1_000 })
  limit?: number;

  @Text({ optional: true, max: 1_024 })
  nextToken?: string;
}
