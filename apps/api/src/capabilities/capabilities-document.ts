import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '@sandbox/config';
import { CapabilitiesService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import { MAX_COMMAND_CHARACTERS, MAX_STDIN_BYTES } from '../execute/shell-command.dto';
import { PreviewHosts } from '../previews/preview-hosts';
import type { Budget } from '../rate-limit/budget';
import { MAX_JSON_BYTES } from '../request/json-body';
import type { CapabilitiesDto } from './capabilities.dto';

/** What this deployment can do, for one user: the same by REST and MCP. */
@Injectable()
export class CapabilitiesDocument {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly capabilities: CapabilitiesService,
    private readonly previews: PreviewHosts,
  ) {}

  /** @throws SandboxError as CapabilitiesService.describeFor */
  async describeFor(user: User, { limit, left, reset }: Budget, image?: string): Promise<CapabilitiesDto> {
    const { commands, ...rest } = await this.capabilities.describeFor(user, image);
    return {
      ...rest,
      commands: { ...commands, max_characters: MAX_COMMAND_CHARACTERS, max_stdin_bytes: MAX_STDIN_BYTES },
      previews: { url_form: this.previews.urlForm },
      requests: {
        limit,
        window_seconds: this.config.RATE_LIMIT_WINDOW_SECONDS,
        left,
        reset_seconds: reset,
        max_json_bytes: MAX_JSON_BYTES,
      },
    };
  }
}
