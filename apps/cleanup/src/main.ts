import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Config, ConfigError, configOrExit, loadProcessConfig } from '@sandbox/config';
import { JsonLogger } from '@sandbox/logging';
import { CleanupModule } from './cleanup.module';

/** Less than the ten seconds that Docker gives a container to stop. */
const STOP_DEADLINE_MS = 8_000;

async function startCleanup(config: Config): Promise<void> {
  const app = await NestFactory.createApplicationContext(CleanupModule.register(config), { bufferLogs: true });
  app.useLogger(new JsonLogger(config));
  new Logger('Start').log(`Sweeping every ${config.CLEANUP_INTERVAL_SECONDS} s`);
  const stop = async (): Promise<void> => {
    // Another sweeper, or the session's next call, takes over a removal that hangs.
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
    await app.close();
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
}

function loadCleanupConfig(): Config {
  const config = loadProcessConfig({ needsAuth: false });
  if (config.SESSION_STORE === 'memory') {
    throw new ConfigError(['SESSION_STORE must be redis here: if it is memory, the API sweeps by itself, and no other process can']);
  }
  return config;
}

startCleanup(configOrExit(loadCleanupConfig)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
