/*
 * The watcher's own credential, never the user's: OAuth 2.0 client credentials with a narrow scope. It is resolved inside a step, and kept
 * in memory alone. Where the API wants to know for whom the watcher acts, exchange a token instead (RFC 8693): the grant type is then
 * `urn:ietf:params:oauth:grant-type:token-exchange`, and the rest of this file stays.
 */

const SCOPE = 'assessments:watch';
/** A token is not used in its last seconds, ms. */
const MARGIN_MS = 2_000;

/** The authorization server refuses this client: only its operator can help. */
export class ClientRefused extends Error {
  name = 'ClientRefused';
}

/** @param {{ tokenUrl: string, clientId: string, clientSecret: string }} client */
export function createCredential({ tokenUrl, clientId, clientSecret }) {
  let current = null;
  let generation = 0;
  let pending = null;

  const request = async (signal) => {
    const response = await fetch(tokenUrl, {
      method: 'POST',
      headers: {
        Authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        'Content-Type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: SCOPE }),
      signal,
    });
    const body = await response.json().catch(() => ({}));
    // Only the server's own word counts (RFC 6749, 5.2): anything else is an outage.
    if (['invalid_client', 'unauthorized_client', 'invalid_scope'].includes(body.error))
      throw new ClientRefused(body.error);
    if (!response.ok || typeof body.access_token !== 'string')
      throw new Error(`the token endpoint answers ${response.status}`);
    generation += 1;
    current = {
      token: body.access_token,
      generation,
      endsAt: Date.now() + (body.expires_in ?? 60) * 1_000 - MARGIN_MS,
    };
    return current;
  };

  return {
    /** A token that may be sent now. Calls that need one at the same time share one request. */
    get(signal) {
      if (current && Date.now() < current.endsAt) return Promise.resolve(current);
      pending ??= request(signal).finally(() => (pending = null));
      return pending;
    },
    /** The API has refused the token of this generation. */
    drop(refused) {
      if (current?.generation === refused) current = null;
    },
  };
}
