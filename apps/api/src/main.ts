import { Logger as NestLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { type Config, configOrExit, loadProcessConfig } from '@sandbox/config';
import { JsonLogger } from '@sandbox/logging';
import { COMMAND_POLICY, type CommandPolicy, describePolicy } from '@sandbox/command-policy';
import {
  describeDisk,
  describeSurroundings,
  PortsService,
  SANDBOX_RUNTIME,
  type SandboxRuntime,
  WorkspaceWatchService,
} from '@sandbox/orchestrator';
import { AppModule } from './app.module';
import { configureApp } from './configure-app';
import { ExpressServerAdapter } from './server/express-server';
import { shutDownOnSignal } from './server/shutdown';
import { UpgradeRouter } from './server/upgrade-router';

async function startApi(config: Config): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.register(config), new ExpressServerAdapter(), {
    bodyParser: false,
    bufferLogs: true,
  });
  app.useLogger(new JsonLogger(config));
  configureApp(app, config);
  shutDownOnSignal(app, config, { onStopping: () => endConnections(app) });
  await app.listen(config.PORT, config.HOST);
  const logger = new NestLogger('Start');
  logger.log(describePolicy(app.get<CommandPolicy>(COMMAND_POLICY)));
  const { CHANNEL_DIRECTORY: sockets } = config;
  logger.log(sockets === '' ? 'Frames pass through the engine (CHANNEL_DIRECTORY is empty)' : `Frames go by sockets in ${sockets}`);
  const surroundings = describeSurroundings(config);
  if (surroundings !== null) logger.log(surroundings);
  void logRuntime(app.get<SandboxRuntime>(SANDBOX_RUNTIME), config, logger);
  logger.log(`Listening on ${await app.getUrl()}`);
}

/** Ends the connections that would not end by themselves. Their clients come back elsewhere. */
function endConnections(app: NestExpressApplication): void {
  app.get(UpgradeRouter).closeAll();
  app.get(PortsService).endConnections();
  app.get(WorkspaceWatchService).endWatches();
}

/**
 * Says what the runtime lacks, or how it bounds disks. Nothing waits for it: the runtime may be
 * away. GET /ready says the same.
 */
async function logRuntime(runtime: SandboxRuntime, config: Config, logger: NestLogger): Promise<void> {
  try {
    await runtime.ping();
    const text = describeDisk(config, await runtime.diskBound());
    if (text !== null) logger.log(text);
  } catch (error) {
    logger.error(`No sandbox can be made now: ${error instanceof Error ? error.message : String(error)}`);
  }
}

startApi(configOrExit(loadProcessConfig)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
