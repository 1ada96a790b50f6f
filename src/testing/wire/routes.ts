import { defaultPaths } from '../../client/options.ts';

/** The calls of a client, by name. */
export type WireRoute = 'submit' | 'status' | 'result' | 'job' | 'jobs' | 'balance' | 'refresh' | 'health';

const methods: Readonly<Record<WireRoute, 'GET' | 'POST'>> = {
  submit: 'POST',
  status: 'GET',
  result: 'GET',
  job: 'GET',
  jobs: 'GET',
  balance: 'GET',
  refresh: 'POST',
  health: 'GET',
};
export type Router = (method: string | undefined, url: string) => { route: WireRoute | null; id: string };

/** The router of a server whose calls have addresses of their own. The methods stay: submissions and refreshes are posted. */
export function createRouter(paths: Partial<Record<WireRoute, string | null>> = {}): Router {
  const all = { ...defaultPaths, ...paths };
  const routes = (Object.keys(methods) as WireRoute[]).map((route) => ({
    route,
    method: methods[route],
    path: new RegExp(
      `${(all[route] ?? defaultPaths[route]).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(':id', '([^/]+)')}$`,
    ),
  }));
  return (method, url) => {
    const path = url.split('?', 1)[0] ?? url;
    for (const it of routes) {
      const found = it.method === (method ?? 'GET') ? it.path.exec(path) : null;
      if (found) return { route: it.route, id: decodeURIComponent(found[1] ?? '') };
    }
    return { route: null, id: '' };
  };
}

/**
 * The one router of all fakes.
 *
 * @returns the call, and the id of the job or the result that it is about, empty where it is about none; a null route for an
 * address that the API does not have
 * @example
 * routeOf('GET', 'https://api.example.test/api/assessment/status/job-1'); // { route: 'status', id: 'job-1' }
 */
export const routeOf: Router = createRouter();
