import type { RuntimeReport } from '@sandbox/orchestrator';
import { API_KEY, TestApp } from '../../../../test/support/test-app';

const TOKEN = 'a-token-for-prometheus';
const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

describe('GET /metrics', () => {
  it('answers only when the request has the token, not a user’s credential', async () => {
    const app = await TestApp.start({}, { METRICS_TOKEN: TOKEN });
    try {
      const read = (init?: RequestInit) => fetch(`${app.url}/metrics`, init);
      const response = await read(bearer(TOKEN));
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8; version=0.0.4']);
      const text = await response.text();
      for (const name of [
        'sandbox_api_pool_size 0',
        'sandbox_api_pool_hits_total 0',
        'sandbox_api_channels_open{channel="direct"} 0',
        'sandbox_api_channels_open{channel="exec"} 0',
        'sandbox_api_port_connections_open 0',
        'sandbox_api_port_connections_total 0',
      ]) {
        expect(text).toContain(`\n${name}\n`);
      }
      expect(text).toContain('nodejs_eventloop_lag_seconds');
      expect(text).not.toContain('sandbox_api_cluster');
      for (const init of [undefined, bearer('another'), bearer(`${TOKEN}x`), { headers: { 'X-API-Key': API_KEY } }, bearer(API_KEY)]) {
        expect((await read(init)).status).toBe(401);
      }
      expect((await fetch(`${app.url}/openapi.json`).then((r) => r.text())).includes('/metrics')).toBe(false);
    } finally {
      await app.stop();
    }
  });

  it('counts the requests to a cluster, and says whether its pods are watched, when the runtime tells', async () => {
    let tell: Parameters<RuntimeReport['onCall']>[0] = () => undefined;
    const report: RuntimeReport = { onCall: (listener) => (tell = listener), watch: { isConnected: true, lost: 3 } };
    const app = await TestApp.start({ runtime: { report } }, { METRICS_TOKEN: TOKEN });
    try {
      for (const seconds of [0.02, 2]) tell({ verb: 'create', resource: 'pods', status: '2xx', seconds });
      const text = await (await fetch(`${app.url}/metrics`, bearer(TOKEN))).text();
      const labels = 'verb="create",resource="pods",status="2xx"';
      for (const row of [
        `sandbox_api_cluster_call_seconds_bucket{le="0.05",${labels}} 1`,
        `sandbox_api_cluster_call_seconds_count{${labels}} 2`,
        'sandbox_api_cluster_watch_open 1',
        'sandbox_api_cluster_watch_lost_total 3',
      ]) {
        expect(text).toContain(`\n${row}\n`);
      }
    } finally {
      await app.stop();
    }
  });

  it('refuses everybody when no token is set', async () => {
    const app = await TestApp.start();
    try {
      for (const init of [undefined, bearer(''), bearer('undefined')]) expect((await fetch(`${app.url}/metrics`, init)).status).toBe(401);
    } finally {
      await app.stop();
    }
  });
});
