import { Body, Controller, HttpCode, Post, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { EntersSession } from '../../rate-limit/enters-session.decorator';
import { ClientSignal } from '../../request/client-signal.decorator';
import { StreamedBody } from '../../request/json-body.guard';
import { NoQueryGuard } from '../../validation/no-query.guard';
import { ConnectErrorsFilter } from '../protocol/connect-errors.filter';
import { readEnvelope } from '../protocol/envelopes';
import { notSupported } from '../protocol/not-supported';
import { requireOwnUser, timeoutOf } from './call-headers';
import { ProcessMessage, SendInputMessage, SendSignalMessage, SIGNALS, StartMessage, UpdateMessage } from './process.dto';
import { sendProcess } from './process-events';
import { inputBytes, processConfig, requireEmpty, selectedProcess, terminalSize } from './process-messages';
import { type ListedProcess, Processes } from './processes';
import { CalledSandbox, type SandboxCall, SandboxPlane } from './sandbox-call';

/**
 * A command has this much longer to end at its timeout, before the answer ends without its end.
 */
const GRACE_MS = 10_000;

/** The RPC service `process.Process`, in the Connect protocol with JSON. */
@ApiExcludeController()
@Controller('e2b/sandbox/process.Process')
@SandboxPlane()
@UseGuards(NoQueryGuard)
@UseFilters(ConnectErrorsFilter)
export class ProcessController {
  constructor(private readonly processes: Processes) {}

  @Post('Start')
  @StreamedBody()
  @EntersSession()
  async start(
    @CalledSandbox() call: SandboxCall,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    requireOwnUser(request);
    const timeoutMs = timeoutOf(request);
    const { process, pty, tag, stdin = true } = await readEnvelope(request, StartMessage);
    if (tag !== undefined) throw notSupported('Naming a process by a tag');
    const config = processConfig(process);
    const started =
      pty === undefined
        ? await this.processes.startCommand(call, config, stdin, timeoutMs, gone)
        : await this.processes.startTerminal(call, config, terminalSize(pty), timeoutMs, gone);
    await sendProcess(response, started, timeoutMs && timeoutMs + GRACE_MS, gone);
  }

  @Post('Connect')
  @StreamedBody()
  @EntersSession()
  async connect(
    @CalledSandbox() call: SandboxCall,
    @ClientSignal() gone: AbortSignal,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const timeoutMs = timeoutOf(request);
    const { process } = await readEnvelope(request, ProcessMessage);
    await sendProcess(response, await this.processes.findProcess(call, selectedProcess(process), gone), timeoutMs, gone);
  }

  @Post('List')
  @HttpCode(200)
  @EntersSession()
  async list(
    @CalledSandbox() call: SandboxCall,
    @Body() message: unknown,
    @ClientSignal() gone: AbortSignal,
  ): Promise<{ processes: ListedProcess[] }> {
    requireEmpty(message);
    return { processes: await this.processes.listProcesses(call, gone) };
  }

  @Post('SendInput')
  @HttpCode(200)
  @EntersSession()
  async sendInput(
    @CalledSandbox() call: SandboxCall,
    @Body() { process, input }: SendInputMessage,
    @ClientSignal() gone: AbortSignal,
  ): Promise<object> {
    await this.processes.writeInput(call, selectedProcess(process), inputBytes(input), gone);
    return {};
  }

  @Post('CloseStdin')
  @HttpCode(200)
  @EntersSession()
  async closeStdin(
    @CalledSandbox() call: SandboxCall,
    @Body() { process }: ProcessMessage,
    @ClientSignal() gone: AbortSignal,
  ): Promise<object> {
    await this.processes.closeInput(call, selectedProcess(process), gone);
    return {};
  }

  @Post('SendSignal')
  @HttpCode(200)
  @EntersSession()
  async sendSignal(
    @CalledSandbox() call: SandboxCall,
    @Body() { process, signal }: SendSignalMessage,
    @ClientSignal() gone: AbortSignal,
  ): Promise<object> {
    await this.processes.sendSignal(call, selectedProcess(process), SIGNALS[signal], gone);
    return {};
  }

  @Post('Update')
  @HttpCode(200)
  @EntersSession()
  async update(
    @CalledSandbox() call: SandboxCall,
    @Body() { process, pty }: UpdateMessage,
    @ClientSignal() gone: AbortSignal,
  ): Promise<object> {
    await this.processes.resize(call, selectedProcess(process), terminalSize(pty), gone);
    return {};
  }
}
