import { randomBytes } from 'node:crypto';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Res, UseFilters } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { CONFIG, type Config } from '@sandbox/config';
import { NetworkService, PortsService, ruleTexts, type SessionInfo, SessionsService, UsageService } from '@sandbox/orchestrator';
import type { User } from '@sandbox/sessions';
import type { Response } from 'express';
import { CurrentIdentity, CurrentUser } from '../../auth/current-user.decorator';
import type { Identity } from '../../auth/identity';
import { SessionTokens } from '../../auth/session-tokens';
import { PreviewHosts } from '../../previews/preview-hosts';
import { ClientSignal } from '../../request/client-signal.decorator';
import { RestErrorsFilter } from '../protocol/rest-errors.filter';
import { networkRules } from './network-options';
import { listedSandbox, type ListedSandbox, sandboxAccess, type SandboxAccess, sandboxDetail, type SandboxDetail } from './sandbox-answers';
import { type SandboxMetric, sandboxMetric } from './sandbox-metrics';
import { metadataFilter, sandboxPage } from './sandbox-page';
import { ConnectDto, ListSandboxesQuery, MetricsQuery, NetworkUpdateDto, NewSandboxDto, SandboxIdDto, TimeoutDto } from './sandboxes.dto';
import { sessionOptions, ttlSeconds } from './session-options';
import { templateOf } from './templates';

/** How long host names of ports hold after a sandbox was created or last connected to, seconds. */
const PORTS_SECONDS = 86_400;

/** E2B's control plane: a sandbox is a session of the same name. */
@ApiExcludeController()
@Controller('e2b')
@UseFilters(RestErrorsFilter)
export class SandboxesController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly sessions: SessionsService,
    private readonly usage: UsageService,
    private readonly networks: NetworkService,
    private readonly ports: PortsService,
    private readonly tokens: SessionTokens,
    private readonly hosts: PreviewHosts,
  ) {}

  @Post(['sandboxes', 'v2/sandboxes'])
  @HttpCode(201)
  async create(
    @CurrentIdentity() caller: Identity,
    @Body() body: NewSandboxDto,
    @ClientSignal() signal: AbortSignal,
  ): Promise<SandboxAccess> {
    const id = randomBytes(16).toString('hex');
    await this.sessions.createSession(caller.user, id, sessionOptions(body, this.config), signal);
    // The id is in the host name of each port (getHost).
    await this.ports.exposeAllPorts(caller.user, id, id, PORTS_SECONDS);
    return this.access(caller, id, body.templateID);
  }

  @Get('v2/sandboxes')
  async list(
    @CurrentUser() user: User,
    @Query() query: ListSandboxesQuery,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ListedSandbox[]> {
    const sessions = await this.sessions.listSessions(user, metadataFilter(query.metadata));
    const { items, nextToken } = sandboxPage(sessions, query, (image) => templateOf(image, this.config));
    if (nextToken !== null) response.setHeader('X-Next-Token', nextToken);
    return items.map((session) => listedSandbox(session, this.config));
  }

  @Get('sandboxes/:sandboxID')
  async get(@CurrentIdentity() caller: Identity, @Param() { sandboxID }: SandboxIdDto): Promise<SandboxDetail> {
    const session = await this.sessions.getSession(caller.user, sandboxID);
    return sandboxDetail(session, this.config, this.tokens.issueToken(caller, sandboxID), this.hosts.domain);
  }

  /** There is one measurement, of now. Earlier ones are not kept. */
  @Get('sandboxes/:sandboxID/metrics')
  async metrics(
    @CurrentUser() user: User,
    @Param() { sandboxID }: SandboxIdDto,
    @Query() { start = 0, end = Infinity }: MetricsQuery,
    @ClientSignal() signal: AbortSignal,
  ): Promise<SandboxMetric[]> {
    const session = await this.sessions.getSession(user, sandboxID);
    const metric = sandboxMetric(await this.usage.measureUsage(user, sandboxID, signal), session, new Date());
    return metric.timestampUnix >= start && metric.timestampUnix <= end ? [metric] : [];
  }

  @Delete('sandboxes/:sandboxID')
  @HttpCode(204)
  async kill(@CurrentUser() user: User, @Param() { sandboxID }: SandboxIdDto): Promise<void> {
    await this.sessions.getSession(user, sandboxID);
    await this.sessions.deleteSession(user, sandboxID);
  }

  @Post(['sandboxes/:sandboxID/connect', 'v2/sandboxes/:sandboxID/connect'])
  @HttpCode(200)
  async connect(
    @CurrentIdentity() caller: Identity,
    @Param() { sandboxID }: SandboxIdDto,
    @Body() { timeout }: ConnectDto,
  ): Promise<SandboxAccess> {
    const session = await this.sessions.getSession(caller.user, sandboxID);
    const used = await this.sessions.updateSession(caller.user, sandboxID, longerLife(session, timeout));
    await this.ports.prolongAllPorts(caller.user, sandboxID, sandboxID, PORTS_SECONDS);
    return this.access(caller, sandboxID, templateOf(used.image, this.config));
  }

  @Post('sandboxes/:sandboxID/timeout')
  @HttpCode(204)
  async setTimeout(@CurrentUser() user: User, @Param() { sandboxID }: SandboxIdDto, @Body() { timeout }: TimeoutDto): Promise<void> {
    await this.sessions.updateSession(user, sandboxID, { ttl_seconds: ttlSeconds(timeout) });
  }

  @Put('sandboxes/:sandboxID/network')
  @HttpCode(204)
  async setNetwork(
    @CurrentUser() user: User,
    @Param() { sandboxID }: SandboxIdDto,
    @Body() { allow_internet_access, ...network }: NetworkUpdateDto,
  ): Promise<void> {
    const rules = networkRules(network, allow_internet_access) ?? { allow: ruleTexts(this.config.EGRESS_DEFAULT) };
    await this.networks.setNetwork(user, sandboxID, rules);
  }

  private access(caller: Identity, sandboxID: string, templateID: string): SandboxAccess {
    return sandboxAccess(sandboxID, templateID, this.tokens.issueToken(caller, sandboxID), this.hosts.domain);
  }
}

/** Connecting never shortens a sandbox's life. */
function longerLife({ ttl_seconds }: SessionInfo, timeout = 0): { ttl_seconds?: number } {
  return timeout > ttl_seconds ? { ttl_seconds: timeout } : {};
}
