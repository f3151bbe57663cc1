import { isBeating } from './heartbeat';

// The health check of the cleanup worker's container. It exits with 0 if the worker has finished a
// sweep lately.
void isBeating().then((beating) => process.exit(beating ? 0 : 1));
