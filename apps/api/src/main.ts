import { Logger as NestLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { type Config, configOrExit, loadProcessConfig } from '@sandbox/config';
import { JsonLogger } from '@sandbox/logging';
import { COMMAND_POLICY, type CommandPolicy, describePolicy } from '@sandbox/command-policy';
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
  shutDownOnSignal(app, config, { onStopping: () => app.get(UpgradeRouter).closeAll() });
  await app.listen(config.PORT, config.HOST);
  const logger = new NestLogger('Start');
  logger.log(describePolicy(app.get<CommandPolicy>(COMMAND_POLICY)));
  const { CHANNEL_DIRECTORY: sockets } = config;
  logger.log(sockets === '' ? 'Frames pass through the engine (CHANNEL_DIRECTORY is empty)' : `Frames go by sockets in ${sockets}`);
  logger.log(`Listening on ${await app.getUrl()}`);
}

startApi(configOrExit(loadProcessConfig)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
