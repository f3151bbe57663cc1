import { isBeating } from './heartbeat';

// The health check of the cleanup worker's container: exits 0 where the worker has lately come to the end of a sweep.
void isBeating().then((beating) => process.exit(beating ? 0 : 1));
