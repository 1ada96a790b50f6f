/*
 * What only a client with ports of its own needs. It is loaded on use, so that the default contract does not pay for it.
 */
export { createPortedApi } from '../services/api/ported-api.ts';
export { askOwnRefresh } from '../services/auth/own-refresh.ts';
export { createSourceCoordinator } from '../services/auth/source-coordinator.ts';
export { ownTransport } from '../services/feed/own-feed.ts';
