import { CookieJar } from 'tough-cookie';

/** A `fetch` with a cookie jar, as a browser has one: httpOnly cookies come and go unseen by the client. */
export function cookieFetch(real: typeof fetch = fetch, jar = new CookieJar()): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = new Headers(init?.headers);
    const cookies = await jar.getCookieString(url);
    if (cookies && init?.credentials === 'include') headers.set('Cookie', cookies);
    const response = await real(input, { ...init, headers });
    for (const cookie of response.headers.getSetCookie()) await jar.setCookie(cookie, url);
    return response;
  };
}
