import { ApiProperty } from '@nestjs/swagger';
import { SHELLS, type CommandPolicy, type WantedShell } from '@sandbox/command-policy';
import type { Capabilities, DiskBound } from '@sandbox/orchestrator';
import { Text } from '../validation/fields';

export class CapabilitiesQuery {
  @Text({
    optional: true,
    min: 1,
    max: 256,
    description: 'The image whose programs are listed; absent: the default one',
    example: 'python:3.12-slim',
  })
  image?: string;
}

export class ImageDto {
  @ApiProperty({ example: 'python:3.12-slim' })
  name: string;

  @ApiProperty({
    type: [String],
    nullable: true,
    description: 'The programs on its PATH that a command may name, sorted; null: not known yet, ask again',
    example: ['awk', 'bash', 'git', 'node', 'python3'],
  })
  programs: string[] | null;

  @ApiProperty({ type: [String], nullable: true, description: 'What `shell` may be; null: not known yet', example: ['auto', 'sh', 'bash'] })
  shells: string[] | null;
}

export class CommandPolicyDto {
  @ApiProperty({
    enum: ['off', 'guard-rail', 'strict'],
    description: 'off: every program may be named. guard-rail: the list stops slips. strict: what could run other programs is refused too',
    example: 'guard-rail',
  })
  mode: CommandPolicy['mode'];

  @ApiProperty({
    type: [String],
    description: 'The programs that a command may name, in any image; empty if the policy is off',
    example: ['cat', 'ls'],
  })
  allowed: string[];
}

export class CommandLimitsDto {
  @ApiProperty({ description: 'Seconds', example: 30 })
  default_timeout: number;

  @ApiProperty({ description: 'Seconds', example: 120 })
  max_timeout: number;

  @ApiProperty({ type: 'integer', description: 'Of each of stdout and stderr; past it the middle is left out', example: 1048576 })
  max_output_bytes: number;

  @ApiProperty({ type: 'integer', example: 32000 })
  max_characters: number;

  @ApiProperty({ type: 'integer', example: 1048576 })
  max_stdin_bytes: number;

  @ApiProperty({ enum: SHELLS, example: 'auto' })
  default_shell: WantedShell;

  @ApiProperty({ type: 'integer', description: 'At a time', example: 32 })
  max_per_session: number;

  @ApiProperty({ type: 'integer', description: 'At a time', example: 64 })
  max_per_user: number;
}

export class JobLimitsDto {
  @ApiProperty({ description: 'Seconds', example: 3600 })
  max_timeout: number;

  @ApiProperty({ type: 'integer', description: 'Of both streams together; past it the oldest is dropped', example: 8388608 })
  max_output_bytes: number;

  @ApiProperty({ type: 'integer', example: 16 })
  max_per_session: number;
}

export class FileLimitsDto {
  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'What a write takes, and what a JSON answer holds of a file; null: no limit',
    example: 1048576,
  })
  max_bytes: number | null;

  @ApiProperty({ type: 'integer', example: 268435456 })
  archive_max_bytes: number;

  @ApiProperty({ type: 'integer', example: 100000 })
  archive_max_entries: number;
}

export class SandboxSizeDto {
  @ApiProperty({ example: '256m' })
  memory: string;

  @ApiProperty({ type: Number, example: 0.5 })
  cpus: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'Null: the runtime does not bound them', example: 128 })
  pids: number | null;

  @ApiProperty({ type: String, nullable: true, description: 'Null: /workspace is in memory', example: '2g' })
  disk: string | null;
}

export class SandboxLimitsDto {
  @ApiProperty({ type: SandboxSizeDto, description: 'Of a session that asks for nothing' })
  default: SandboxSizeDto;

  @ApiProperty({ type: SandboxSizeDto, description: 'The most that a session may ask for' })
  max: SandboxSizeDto;

  @ApiProperty({ description: 'Size of /tmp', example: '64m' })
  tmp: string;

  @ApiProperty({ description: 'Size of a /workspace in memory', example: '128m' })
  workspace_in_memory: string;
}

export class WorkspaceKindsDto {
  @ApiProperty({ enum: ['always', 'on_request', 'never'], description: 'Whether files outlive their sandbox', example: 'never' })
  persistent: Capabilities['workspace']['persistent'];

  @ApiProperty({
    enum: ['quota', 'measured', 'unguarded'],
    nullable: true,
    description: 'What keeps a /workspace on the disk within its limit, as /ready says; null: there is none, or it is not known yet',
    example: 'measured',
  })
  disk_bound: DiskBound | null;
}

export class SessionQuotaDto {
  @ApiProperty({ type: 'integer', example: 600 })
  default_ttl_seconds: number;

  @ApiProperty({ type: 'integer', example: 86400 })
  max_ttl_seconds: number;

  @ApiProperty({ type: 'integer', description: 'That you may have at a time', example: 20 })
  max: number;

  @ApiProperty({ type: 'integer', description: 'How many more you may have now', example: 17 })
  left: number;
}

export class IdempotencyDto {
  @ApiProperty({ type: 'integer', description: 'How long an Idempotency-Key is remembered', example: 86400 })
  keep_seconds: number;

  @ApiProperty({ description: 'Whether keys are remembered over a restart of the service', example: true })
  outlives_restart: boolean;

  @ApiProperty({ type: 'integer', description: 'A longer answer is not kept', example: 262144 })
  max_answer_bytes: number;
}

export class NetworkOfferDto {
  @ApiProperty({
    type: [String],
    description: 'The rules that a session may ask for at most; empty: none',
    example: ['packages', '*.example.com'],
  })
  allow: string[];

  @ApiProperty({ type: [String], description: 'The rules of a session that asks for nothing', example: [] })
  default: string[];

  @ApiProperty({ type: [String], description: 'The presets that a session may ask for', example: ['packages'] })
  presets: string[];

  @ApiProperty({
    type: [String],
    description: 'The ecosystems (pypi, npm, go, cargo, maven) whose tools take packages from a mirror, without a setting',
    example: ['npm'],
  })
  mirrors: string[];

  @ApiProperty({ type: 'integer', nullable: true, description: 'That a session may move; null: no limit', example: null })
  max_bytes: number | null;

  @ApiProperty({ type: String, nullable: true, description: 'Why no session can reach anything here; null: it can', example: null })
  refusal: string | null;
}

export class PreviewFormDto {
  @ApiProperty({ description: 'The URL of a preview', example: 'http://{port}-{token}.localhost:8000/' })
  url_form: string;
}

export class RequestQuotaDto {
  @ApiProperty({ type: 'integer', description: 'Of yours in a window of time', example: 100 })
  limit: number;

  @ApiProperty({ type: 'integer', example: 60 })
  window_seconds: number;

  @ApiProperty({ type: 'integer', description: 'Left in this window, after this request', example: 99 })
  left: number;

  @ApiProperty({ type: 'integer', description: 'Until the next window', example: 42 })
  reset_seconds: number;

  @ApiProperty({ type: 'integer', description: 'Most bytes of a JSON body', example: 2097152 })
  max_json_bytes: number;
}

export class CapabilitiesDto implements Capabilities {
  @ApiProperty({ type: ImageDto, description: 'The image that was asked for' })
  image: ImageDto;

  @ApiProperty({ type: [String], description: 'Images that a session may ask for, the default one first', example: ['python:3.12-slim'] })
  images: string[];

  @ApiProperty({ type: CommandPolicyDto })
  policy: CommandPolicyDto;

  @ApiProperty({ type: CommandLimitsDto })
  commands: CommandLimitsDto;

  @ApiProperty({ type: JobLimitsDto })
  jobs: JobLimitsDto;

  @ApiProperty({ type: FileLimitsDto })
  files: FileLimitsDto;

  @ApiProperty({ type: SandboxLimitsDto })
  sandbox: SandboxLimitsDto;

  @ApiProperty({ type: WorkspaceKindsDto })
  workspace: WorkspaceKindsDto;

  @ApiProperty({ type: SessionQuotaDto })
  sessions: SessionQuotaDto;

  @ApiProperty({ type: IdempotencyDto })
  idempotency: IdempotencyDto;

  @ApiProperty({ type: NetworkOfferDto })
  network: NetworkOfferDto;

  @ApiProperty({ type: PreviewFormDto })
  previews: PreviewFormDto;

  @ApiProperty({ type: RequestQuotaDto })
  requests: RequestQuotaDto;
}
