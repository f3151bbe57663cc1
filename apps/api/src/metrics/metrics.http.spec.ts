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
      for (const init of [undefined, bearer('another'), bearer(`${TOKEN}x`), { headers: { 'X-API-Key': API_KEY } }, bearer(API_KEY)]) {
        expect((await read(init)).status).toBe(401);
      }
      expect((await fetch(`${app.url}/openapi.json`).then((r) => r.text())).includes('/metrics')).toBe(false);
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
