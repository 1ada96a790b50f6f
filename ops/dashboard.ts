/* npm run dashboard: writes ops/dashboard.json, for the import of Grafana. */
import { writeFileSync } from 'node:fs';
import { dashboardJson } from './build-dashboard.ts';

writeFileSync(new URL('dashboard.json', import.meta.url), dashboardJson());
