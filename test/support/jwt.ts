const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token with these claims and without a signature: clients read claims and never verify them. */
export const jwt = (claims: object): string => `${part({ alg: 'none' })}.${part(claims)}.unsigned`;
