const api = process.env.API ?? 'http://localhost:3000';

/** The API's paths under the page's own origin, so that the cookie of the refresh token is sent. */
export default {
  rewrites: async () => [{ source: '/api/:path*', destination: `${api}/api/:path*` }],
  turbopack: { root: import.meta.dirname },
};
